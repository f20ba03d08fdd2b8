import Checkpoints
import Datasets
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors

/// What a run keeps of an autoencoder: its folder in the layout of diffusers, and sheets of reconstructions.
///
/// The configuration that is written has the scale, and where the network has one the shift, by which the latents of the
/// data have mean 0 and variance 1: what a diffusion model is trained on.
struct AutoencoderOutput<Network: RecipeAutoencoder>: TrainingOutput {
    let configuration: Network.Configuration
    /// The pictures whose latents are measured, and of which some are shown.
    let data: any Dataset
    /// How many are shown, in full rows.
    let count: Int
    let device: Device

    /// The most pictures whose latents are measured.
    private static var mostMeasured: Int { 1024 }

    var metadata: [String: String] {
        get throws {
            ["format": "pt", "config": JSONValue.object(try Network.json(configuration)).text]
        }
    }

    func write(_ parameters: [(String, Tensor)], to path: String) throws {
        let own = parameters.filter { AutoencoderTask.isOwn($0.0) }
        let network = try opened(TensorDictionary(Dictionary(uniqueKeysWithValues: own)))
        let moments = try latentMoments(of: network)
        let scaled = Network.scaled(configuration, mean: moments.mean, deviation: moments.deviation)
        try ModelLayout.replacing(path) { path in
            try Files.createFolder(path)
            try Network.write(scaled, own, to: ModelFolder(path))
        }
    }

    /// Each row of originals above its reconstructions.
    func sheet(_ parameters: TensorDictionary) throws -> Picture? {
        let own = parameters.tensors.filter { AutoencoderTask.isOwn($0.key) }
        let network = try opened(TensorDictionary(own))
        let originals = try pictures(count)
        let again = inference {
            network.reconstruction(of: originals.to(device)) { .zeros($0, on: device) }.pictures
                .to(.cpu).to(.float32)
        }
        let (above, below) = try (Picture.pictures(of: originals), Picture.pictures(of: again))
        let columns = min(10, above.count)
        let rows = (0..<above.count / columns).flatMap { row in
            let places = row * columns..<(row + 1) * columns
            return above[places] + below[places]
        }
        let side = max(originals.shape[2], originals.shape[3])
        return Sheet(columns: columns, magnification: max(1, 64 / side)).picture(of: rows)
    }

    /// The network with given parameters.
    private func opened(_ parameters: TensorDictionary) throws -> Network {
        let constants = TensorDictionary(parameters.tensors.mapValues { $0.detached() })
        return try ParameterStore(.loaded(constants), on: device).build { try Network(configuration, $0) }
    }

    /// Pictures taken evenly from the data.
    private func pictures(_ count: Int) throws -> Tensor {
        try data.batch(at: data.evenlySpread(count)).data
    }

    /// The mean and the deviation of all numbers of latents.
    private func latentMoments(of network: Network) throws -> (mean: Double, deviation: Double) {
        let generator = RandomGenerator(seed: 0)
        let all = try pictures(Self.mostMeasured)
        let latents = inference {
            (0..<(all.shape[0] + 63) / 64).map { batch in
                let pictures = all.slice(batch * 64..<min(batch * 64 + 64, all.shape[0]), of: 0)
                return network.latents(of: pictures.to(device)) { generator.normal($0).to(device) }
                    .to(.cpu).to(.float64).flattened()
            }
        }
        let values = concatenated(latents)
        return try (values.mean().item(), values.standardDeviation(correction: 0).item())
    }
}

import Datasets
import Diffusion
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors

/// The model of a run of unCLIP's decoder: a folder of the parts that its pipeline in diffusers has, without those that
/// enlarge, and sheets of pictures made of the embeddings of the data's.
struct TrainedDecoder: TrainingOutput {
    let configuration: UnCLIPDecoderConfiguration
    let process: Diffusion.Process
    let card: ModelCard
    let clip: CLIPPlan
    let sampler: Sampler
    let guidance: GuidanceSettings
    /// The conditions of a sheet, a row for each picture.
    let conditions: Conditions
    let count: Int
    let seed: UInt64
    let device: Device

    var metadata: [String: String] {
        get throws {
            ["format": "pt", "config": JSONValue.object(try UNet2DCondition.json(configuration.unet)).text]
        }
    }

    func write(_ parameters: [(String, Tensor)], to path: String) throws {
        func part(_ scope: String) -> [(String, Tensor)] {
            parameters.filter { $0.0.hasPrefix(scope + ".") }
                .map { (String($0.0.dropFirst(scope.count + 1)), $0.1) }
        }
        try ModelLayout.replacing(path) { aside in
            try ModelLayout(aside).write(
                decoder: [
                    .init(
                        .decoder, UNet2DCondition.self, configuration.unet, part(UnCLIPDecoder.unetScope)),
                    .init(
                        .textProjection, UnCLIPTextProjection.self, configuration.projection,
                        part(UnCLIPDecoder.projectionScope)),
                    clip.textPart, clip.visionPart,
                ], process: process, card: card, rest: clip.writeRest)
        }
    }

    /// Pictures made of embeddings of the data's pictures and their texts.
    func sheet(_ parameters: TensorDictionary) throws -> Picture? {
        let network = try ParameterStore(.loaded(parameters), on: device).build {
            try UnCLIPDecoder(configuration, $0)
        }
        return try withoutGradients {
            let shape = Shape([configuration.unet.inChannels] + side)
            let source = NoiseSource(seed: seed, count: count, on: device)
            let parts = GuidanceParts { branches in denoiser(network, branches) }
            var sample = source.draw(shape)
            for progress in sampler.sampling(
                sample, denoiser: guidance.denoiser(parts), source: source)
            {
                sample = progress.sample
            }
            return try Picture.sheet(of: sample.to(.float32).clamped(to: -1...1))
        }
    }

    private var side: [Int] {
        configuration.unet.sampleSize.map { [$0.height, $0.width] } ?? []
    }

    private func denoiser(_ network: UnCLIPDecoder, _ branches: [GuidanceBranch]) -> Denoiser {
        let empty = clip.conditions(of: Array(repeating: "", count: count))
        let rows = branches.map { branch in
            guard branch != .conditional else { return conditions }
            var without = empty
            without[.embedding] = Tensor.zeros([count, clip.features], .float32, on: device)
            return without
        }
        let joined = rows.dropFirst().reduce(rows[0]) { $0.followed(by: $1) }
        return Denoiser(sampler.parameterization(of: process)) { x, time in
            network(x, time: time, joined, dropout: nil)
        }
    }
}

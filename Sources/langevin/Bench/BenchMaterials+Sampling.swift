import Diffusion
import Layers
import Networks
import Pipelines
import Tensors

/// Samplers with a small network, and with none.
extension BenchMaterials {
    func tinySampling() throws -> BenchWork.Repetition {
        let (network, _): (UNet2D, _) = try network(.tiny)
        let model = try PixelAssembly(
            name: "tiny", configuration: NetworkConfiguration(network.configuration),
            process: ProcessDescription("betas", prediction: "noise").trained(sampledBy: .ddpm),
            card: ModelCard(),
            network: network.replayed(on: device), elementType: elementType, device: device
        )
        var request = Request()
        request.count = 16
        request.steps = 1000
        let wanted = request
        return { try Model(model).run(wanted, decodes: false).samples() }
    }

    func steps(of solver: Method) throws -> BenchWork.Repetition {
        let process = try ProcessDescription("edm", ["sigma_min": .number(0.01), "sigma_max": .number(80)])
        let sampler = try process.sampler(solver, steps: 100)
        let (start, data) = (try numbers("start", [64, 3, 32, 32]), try numbers("data", [64, 3, 32, 32]))
        let denoiser = Denoiser { x, level in Prediction.data.estimate(data, sample: x, at: level) }
        let noise = NoiseSource(seed: 0, count: 64, elementType: elementType, on: device)
        return {
            try inference {
                for progress in sampler.sampling(start, denoiser: denoiser, source: noise) {
                    try progress.sample.rethrow()
                }
            }
            return nil
        }
    }
}

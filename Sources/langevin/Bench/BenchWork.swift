import Diffusion
import Layers
import Networks
import Pipelines
import Tensors

/// Pieces of work whose time says how fast this machine is.
enum BenchWork: String, CaseIterable {
    /// The U-Net of `google/ddpm-cifar10-32`, 64 pictures through it.
    case ddpmCifarForward = "ddpm-cifar-forward"
    /// The same network, 32 pictures, one step of AdamW.
    case ddpmCifarTrain = "ddpm-cifar-train"
    /// 1,000 steps of ancestral sampling of 16 pictures of 16×16 by a network of 32 and 64 channels.
    case tiny1000 = "tiny-1000"
    /// 100 steps of a solver on a [64, 3, 32, 32] sample, the denoiser handing out a tensor that it has at hand.
    case solverEuler = "solver-euler"
    case solverHeun = "solver-heun"
    case solverMultistep = "solver-lms"
    case solverDPM = "solver-dpmpp-2m"
    case solverAncestral = "solver-euler-a"

    /// The work, ready to be done again and again.
    func prepared(_ type: ElementType) throws -> () throws -> Void {
        switch self {
        case .ddpmCifarForward: try forward(type)
        case .ddpmCifarTrain: try trainingStep(type)
        case .tiny1000: try tinySampling(type)
        case .solverEuler: try steps(of: .euler, type)
        case .solverHeun: try steps(of: .heun, type)
        case .solverMultistep: try steps(of: .lms, type)
        case .solverDPM: try steps(of: .dpmPlusPlus2M, type)
        case .solverAncestral: try steps(of: .eulerAncestral, type)
        }
    }

    private func forward(_ type: ElementType) throws -> () throws -> Void {
        let (network, _) = try network(.ddpmCifar, type, .inference)
        let draw = RandomGenerator(seed: 1)
        let x = draw.normal([64, 3, 32, 32]).to(type)
        let times = draw.integers([64], in: 0..<1000)
        return {
            try inference { try network(x, time: times, Conditions(), dropout: nil).rethrow() }
        }
    }

    private func trainingStep(_ type: ElementType) throws -> () throws -> Void {
        // Weights and optimizer stay in float32; with bfloat16 the arithmetic is cast.
        let (network, store) = try network(.ddpmCifar, .float32, .training)
        let optimizer = AdamW(store)
        let draw = RandomGenerator(seed: 1)
        let x = draw.normal([32, 3, 32, 32])
        let noise = draw.normal([32, 3, 32, 32])
        let times = draw.integers([32], in: 0..<1000)
        func loss() -> Tensor {
            (network(x, time: times, Conditions(), dropout: nil) - noise).squared().mean()
        }
        return {
            try (type == .float32 ? loss() : autocast(to: type, loss)).backward()
            try optimizer.step(learningRate: 1e-4)
            try optimizer.clearGradients()
        }
    }

    private func tinySampling(_ type: ElementType) throws -> () throws -> Void {
        let (network, _) = try network(.tiny, type, .inference)
        let model = PictureModel(
            name: "tiny", configuration: .unet2D(.tiny), scheduler: SchedulerConfiguration(.ddpm),
            card: ModelCard(), network: network, elementType: type)
        var request = SamplingRequest()
        request.count = 16
        request.steps = 1000
        let plan = try SamplingPlan(model, request)
        return { _ = try plan.run() }
    }

    private func steps(of solver: SolverName, _ type: ElementType) throws -> () throws -> Void {
        let process = ContinuousProcess.edm(EDMSchedule(sigmaMinimum: 0.01, sigmaMaximum: 80))
        let sampler = try process.sampler(solver, steps: 100)
        let draw = RandomGenerator(seed: 1)
        let (start, data) = (draw.normal([64, 3, 32, 32]).to(type), draw.normal([64, 3, 32, 32]).to(type))
        let denoiser = Denoiser { x, level in Prediction.data.estimate(data, sample: x, at: level) }
        let noise = NoiseSource(seed: 0, count: 64, elementType: type)
        return {
            try inference {
                for progress in sampler.sampling(start, denoiser: denoiser, source: noise) {
                    try progress.sample.rethrow()
                }
            }
        }
    }

    private func network(
        _ configuration: UNet2DConfiguration, _ type: ElementType, _ purpose: ParameterStore.Purpose
    ) throws -> (UNet2D, ParameterStore) {
        let draw = RandomGenerator(seed: 0)
        let store = ParameterStore(.initialized(draw), purpose: purpose, elementType: type)
        let network = try store.build { try UNet2D(configuration, $0) }
        // Constant parameters (norms) get noise, so that nothing can be skipped for being 0 or 1.
        for parameter in store.parameters where parameter.rank == 1 {
            try parameter.assign(parameter.detached() + draw.normal(parameter.shape).to(type) * 0.02)
        }
        return (network, store)
    }
}

extension UNet2DConfiguration {
    /// `google/ddpm-cifar10-32`
    fileprivate static var ddpmCifar: UNet2DConfiguration {
        var configuration = UNet2DConfiguration()
        configuration.sampleSize = .square(32)
        configuration.blockOutChannels = [128, 256, 256, 256]
        configuration.downBlockTypes = [.plain, .attention, .plain, .plain]
        configuration.upBlockTypes = [.plain, .plain, .attention, .plain]
        configuration.attentionHeadDim = nil
        configuration.normEps = 1e-6
        configuration.downsamplePadding = 0
        configuration.flipSinToCos = false
        configuration.freqShift = 1
        return configuration
    }

    /// Two levels of plain blocks for 16×16 grey pictures.
    fileprivate static var tiny: UNet2DConfiguration {
        var configuration = UNet2DConfiguration()
        configuration.sampleSize = .square(16)
        configuration.inChannels = 1
        configuration.outChannels = 1
        configuration.blockOutChannels = [32, 64]
        configuration.layersPerBlock = 1
        configuration.downBlockTypes = [.plain, .plain]
        configuration.upBlockTypes = [.plain, .plain]
        return configuration
    }
}

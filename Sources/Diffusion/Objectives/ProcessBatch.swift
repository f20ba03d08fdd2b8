import Tensors

/// The examples of a batch at levels of their own, as the network of a process takes them.
struct ProcessBatch {
    /// The level of each example in the scaling of the network's samples.
    let levels: [NoiseLevel]
    /// α of each example in that scaling, `[batch, 1, …]`.
    let alpha: Tensor
    /// σ, likewise.
    let sigma: Tensor
    /// What the network takes for the time of each example, `[batch]`.
    let time: Tensor
    private let process: Process
    /// What an unscaled sample is divided by, `[batch, 1, …]`; `nil` where it is as the network takes it.
    private let scale: Tensor?
    /// c_in, `[batch, 1, …]`; `nil` where it is 1.
    private let inputScale: Tensor?

    /// The levels of a process at the time of each example.
    /// - Parameter data: the examples, for their rank, type and device.
    init(_ process: Process, times: [Double], like data: Tensor) {
        let parameterization = process.parameterization
        let unscaled = times.map(process.schedule.level(at:))
        let scales = unscaled.map { level in
            let scale = parameterization.scaling.scale(of: level)
            return abs(scale - 1) > leastScaling ? scale : 1
        }
        let levels = zip(unscaled, scales).map { $1 == 1 ? $0 : $0.divided(by: $1) }
        let inputs = levels.map(parameterization.input)
        self.process = process
        self.levels = levels
        alpha = factorColumn(levels.map(\.alpha), like: data)
        sigma = factorColumn(levels.map(\.sigma), like: data)
        time = exampleColumn(unscaled.map(parameterization.time), like: data)
        scale = scales.contains { $0 != 1 } ? factorColumn(scales, like: data) : nil
        inputScale = inputs.contains { $0 != 1 } ? factorColumn(inputs, like: data) : nil
    }

    /// x = α·x₀ + σ·ε in the network's scaling.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), equation 4.
    func sample(_ data: Tensor, _ noise: Tensor) -> Tensor { alpha * data + sigma * noise }

    /// A sample of the process in the network's scaling.
    func scaled(_ x: Tensor) -> Tensor { scale.map { x / $0 } ?? x }

    /// A sample in the network's scaling as the network is given it.
    func networkInput(_ x: Tensor) -> Tensor { inputScale.map { $0 * x } ?? x }

    /// What a network gives for a sample in its scaling, further channels (a learned variance) included.
    func rawOutput(_ network: Roles.Network, _ x: Tensor) -> Tensor {
        network(networkInput(x), time)
    }

    /// What a network predicts for a sample in its scaling, without further channels.
    /// - Throws: the error that a tensor carries.
    func output(_ network: Roles.Network, _ x: Tensor) throws -> Tensor {
        let raw = rawOutput(network, x)
        try raw.rethrow()
        let (output, _) = Parameterization.parts(of: raw, for: x)
        precondition(output.shape == x.shape, "the network gave \(output.shape) for a sample \(x.shape)")
        return output
    }

    /// What the network should give.
    func target(_ data: Tensor, _ noise: Tensor) -> Tensor {
        process.parameterization.output.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
    }

    /// How much the squared error of the network's own output counts, `[batch]`.
    func weights(_ weighting: LossWeighting) -> Tensor {
        let meaning = process.parameterization.output
        return exampleColumn(levels.map { weighting.weight(on: meaning, at: $0) }, like: alpha)
    }

    /// The factors of a sample and of a network's output in what is linear in both.
    struct Factors {
        let sample: Double
        let output: Double
    }

    /// What has given factors at each example, of samples in the network's scaling and of its output.
    func combination(_ factors: [Factors], of x: Tensor, _ output: Tensor) -> Tensor {
        factorColumn(factors.map(\.sample), like: x) * x + factorColumn(factors.map(\.output), like: x)
            * output
    }

    /// The factors of x and of the network's output F in the estimated data, x̂₀ = skip·x + out·F.
    /// - Throws: the error that a tensor carries.
    func dataFactors() throws -> [(skip: Double, out: Double)] {
        let (alpha, sigma) = (Tensor(levels.map(\.alpha)), Tensor(levels.map(\.sigma)))
        func data(_ output: Double, _ x: Double) throws -> [Double] {
            let shape: Shape = [levels.count]
            return try process.parameterization.output.data(
                .full(output, shape, .float64), sample: .full(x, shape, .float64), alpha: alpha, sigma: sigma
            ).array()
        }
        return zip(try data(0, 1), try data(1, 0)).map { (skip: $0, out: $1) }
    }
}

/// One number for each example, `[batch]`, of a type that takes part in arithmetic with `tensor`, on its device.
func exampleColumn(_ values: [Double], like tensor: Tensor) -> Tensor {
    Tensor(values).to(tensor.elementType == .float64 ? .float64 : .float32).sent(to: tensor.device)
}

/// One factor for each example as `[batch, 1, …]`, of the rank of `tensor`, likewise.
func factorColumn(_ values: [Double], like tensor: Tensor) -> Tensor {
    exampleColumn(values, like: tensor).broadcast(toRank: tensor.rank)
}

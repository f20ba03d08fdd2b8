import Storage
import Tensors

/// Adam with decoupled weight decay, over all parameters of a store in one fused call a step.
/// Source: Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2.
public final class AdamW {
    /// What stays the same from step to step.
    public struct Configuration: Codable, Sendable, Equatable {
        /// Decay of the mean of gradients.
        public var beta1: Double
        /// Decay of the mean of squared gradients.
        public var beta2: Double
        /// Added to the root of the mean square.
        public var epsilon: Double
        /// The share of a parameter that is taken off a step, times the learning rate.
        public var weightDecay: Double

        /// PyTorch's defaults where no value is given.
        public init(
            beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0.01
        ) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
        }
    }

    /// What stays the same from step to step.
    public let configuration: Configuration
    /// Whether a step waits for the length of the gradient: Apple's kernel reads neither flag nor scale.
    package var waitsForGradient: Bool
    private let names: [String]
    private let parameters: [Tensor]
    /// The name of the number of steps in the state.
    private let stepName: String
    private let firstMoments: [Tensor]
    private let secondMoments: [Tensor]
    /// The number of steps taken, a scalar on the parameters' device: which steps were, only that knows.
    private var steps: Tensor

    /// An optimizer of parameters of a store that was built for training.
    /// - Parameters:
    ///   - isMoved: which parameters are moved; all by default.
    ///   - stepName: what the number of steps is called in ``state``, where one file keeps several optimizers.
    public init(
        _ store: ParameterStore, _ configuration: Configuration = Configuration(),
        moving isMoved: (_ name: String) -> Bool = { _ in true }, stepName: String = "step"
    ) {
        self.configuration = configuration
        self.stepName = stepName
        let moved = store.named.filter { isMoved($0.0) }
        names = moved.map(\.0)
        parameters = moved.map(\.1)
        // The fused kernel walks through memory, so moments lie as their parameters do.
        firstMoments = parameters.map { $0.zerosAlike() }
        secondMoments = parameters.map { $0.zerosAlike() }
        let device = parameters.first?.device ?? .cpu
        steps = .zeros([], .float32, on: device)
        waitsForGradient = device.kind == .mps
    }

    /// The number of steps taken. Asking waits for the device.
    public var stepCount: Int { get throws { try steps.item(Int.self) } }

    /// The gradients of the parameters that have one.
    public var gradients: [Tensor] { parameters.compactMap(\.gradient) }

    /// The length of all gradients taken together, a scalar.
    public func gradientNorm() -> Tensor { ManyTensors.norm(gradients) }

    /// Scales all gradients by a factor.
    public func scaleGradients(by factor: Double) throws {
        try ManyTensors.multiply(gradients, by: factor)
    }

    /// Moves every parameter that has a gradient.
    /// - Throws: `TensorError` where a gradient carries an error.
    public func step(learningRate: Double) throws {
        steps = steps + 1
        try move(learningRate: learningRate)
    }

    /// Moves every parameter that has a gradient, unless some gradient is not finite: then nothing moves and
    /// the step does not count. The device decides it, and nobody waits for the device.
    ///
    /// Source: Pascanu et al. 2013 (arXiv:1211.5063), algorithm 1, for the limit.
    /// - Parameter limit: the greatest length of all gradients taken together; longer ones are scaled to it.
    ///   0 sets none.
    /// - Returns: the length of the gradients as they were, a scalar; it is not finite where nothing moved.
    /// - Throws: `TensorError` where a gradient carries an error.
    public func step(learningRate: Double, clippingTo limit: Double) throws -> Tensor {
        let norm = gradientNorm()
        let isFinite = norm.isFinite().to(.float32)
        // The kernel divides by it.
        let scale = limit > 0 ? ((norm + 1e-6) / limit).clamped(from: 1).to(.float32) : nil
        if waitsForGradient {
            guard try isFinite.item() == 1 else { return norm }
            if let scale { try scaleGradients(by: 1 / scale.item()) }
            try step(learningRate: learningRate)
        } else {
            steps = steps + isFinite
            try move(learningRate: learningRate, scale: scale, isSkipped: 1 - isFinite)
        }
        return norm
    }

    private func move(
        learningRate: Double, scale: Tensor? = nil, isSkipped: Tensor? = nil
    ) throws {
        let gradients = parameters.map(\.gradient)
        let moving = parameters.indices.filter { gradients[$0] != nil }
        try ManyTensors.adamW(
            parameters: moving.map { parameters[$0] }, gradients: moving.map { gradients[$0]! },
            firstMoments: moving.map { firstMoments[$0] }, secondMoments: moving.map { secondMoments[$0] },
            steps: moving.map { _ in steps }, learningRate: learningRate, beta1: configuration.beta1,
            beta2: configuration.beta2, weightDecay: configuration.weightDecay,
            epsilon: configuration.epsilon, scale: scale, isSkipped: isSkipped)
    }

    /// Forgets all gradients.
    public func clearGradients() throws {
        for parameter in parameters { try parameter.clearGradient() }
    }

    /// All that the coming steps depend on, as named tensors.
    public var state: [String: Tensor] {
        var tensors = [stepName: steps.to(.int64).reshaped([1])]
        for (index, name) in names.enumerated() {
            tensors["first_moment." + name] = firstMoments[index]
            tensors["second_moment." + name] = secondMoments[index]
        }
        return tensors
    }

    /// Goes on from a saved state.
    /// - Throws: what the source throws where a tensor is missing, `LoadError` where one does not fit.
    public func restore(_ source: any TensorSource) throws {
        steps = Tensor(Float(try source.tensor(named: stepName).item(Int.self))).to(steps.device)
        for (index, name) in names.enumerated() {
            try restore(firstMoments[index], "first_moment." + name, source)
            try restore(secondMoments[index], "second_moment." + name, source)
        }
    }

    private func restore(_ tensor: Tensor, _ name: String, _ source: any TensorSource) throws {
        let saved = try source.tensor(named: name)
        guard saved.shape == tensor.shape else {
            throw LoadError(
                "the optimizer's \(quoted(name)) is \(saved.shape) where \(tensor.shape) is needed")
        }
        try tensor.assign(saved)
    }
}

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

        /// PyTorch's defaults where nothing is said.
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
    /// The number of steps taken.
    public private(set) var stepCount = 0
    private let names: [String]
    private let parameters: [Tensor]
    private let firstMoments: [Tensor]
    private let secondMoments: [Tensor]
    private let steps: [Tensor]

    /// An optimizer of the parameters of a store that was built for training.
    public init(_ store: ParameterStore, _ configuration: Configuration = Configuration()) {
        self.configuration = configuration
        names = store.names
        parameters = store.parameters
        func zeros() -> [Tensor] {
            store.parameters.map { .zeros($0.shape, $0.elementType, on: $0.device) }
        }
        firstMoments = zeros()
        secondMoments = zeros()
        steps = store.parameters.map { .zeros([], .float32, on: $0.device) }
    }

    /// The length of all gradients taken together, a scalar.
    public func gradientNorm() -> Tensor { ManyTensors.norm(parameters.compactMap(\.gradient)) }

    /// Scales all gradients by a factor.
    public func scaleGradients(by factor: Double) throws {
        try ManyTensors.multiply(parameters.compactMap(\.gradient), by: factor)
    }

    /// Moves every parameter that has a gradient.
    /// - Throws: `TensorError` where a gradient carries an error.
    public func step(learningRate: Double) throws {
        stepCount += 1
        let moving = parameters.indices.filter { parameters[$0].gradient != nil }
        for index in moving { try steps[index].assign(Double(stepCount)) }
        try ManyTensors.adamW(
            parameters: moving.map { parameters[$0] }, gradients: moving.map { parameters[$0].gradient! },
            firstMoments: moving.map { firstMoments[$0] }, secondMoments: moving.map { secondMoments[$0] },
            steps: moving.map { steps[$0] }, learningRate: learningRate, beta1: configuration.beta1,
            beta2: configuration.beta2, weightDecay: configuration.weightDecay,
            epsilon: configuration.epsilon)
    }

    /// Forgets all gradients.
    public func clearGradients() throws {
        for parameter in parameters { try parameter.clearGradient() }
    }

    /// All that the coming steps depend on, as named tensors.
    public var state: [String: Tensor] {
        var tensors = ["step": Tensor([stepCount])]
        for (index, name) in names.enumerated() {
            tensors["first_moment." + name] = firstMoments[index]
            tensors["second_moment." + name] = secondMoments[index]
        }
        return tensors
    }

    /// Goes on from a saved state.
    /// - Throws: what the source throws where a tensor is missing, `LoadError` where one does not fit.
    public func restore(_ source: any TensorSource) throws {
        stepCount = try source.tensor(named: "step").item(Int.self)
        for (index, name) in names.enumerated() {
            try restore(firstMoments[index], "first_moment." + name, source)
            try restore(secondMoments[index], "second_moment." + name, source)
        }
    }

    private func restore(_ tensor: Tensor, _ name: String, _ source: any TensorSource) throws {
        let saved = try source.tensor(named: name)
        guard saved.shape == tensor.shape else {
            throw LoadError("the optimizer's '\(name)' is \(saved.shape) where \(tensor.shape) is needed")
        }
        try tensor.assign(saved)
    }
}

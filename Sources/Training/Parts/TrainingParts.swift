import Datasets
import Diffusion
import Layers
import Networks
import Tensors

/// What a training run is made of. A recipe makes such parts, and so can any code of its own: own data, an own network
/// or an own loss is one part exchanged.
///
///     var parts = try TrainingParts(data: points, objective: loss) { try MyNetwork($0) }
///     parts.conditioner = ClassConditioner(nullClass: 2, dropout: 0.1)
///     _ = try Trainer(parts, into: RunFolder("run", resume: true)).train()
public struct TrainingParts {
    /// The numbers of the run: its seed and the section `training`. It is saved with the run.
    public var recipe: Recipe
    /// What is learnt from.
    public var data: any Dataset
    /// What the loss is measured on beside; `nil` where nothing is held back.
    public var heldOut: (any Dataset)?
    /// What examples become before noise is added.
    public var codec: any ExampleCodec = PlainCodec()
    /// What the network is given beside the noisy examples.
    public var conditioner: any Conditioner = Unconditioned()
    /// The networks, and every parameter that is trained.
    public var roles: TrainedRoles
    /// The loss.
    public var objective: any Objective
    /// How parameters are moved.
    public var optimizers: OptimizerSettings
    /// Decay of the moving average of the parameters that samples are drawn from; 0 keeps none.
    public var averageDecay: Double
    /// How gradients are shared with other processes.
    public var exchange: any GradientExchange = OneProcess()
    /// What a run keeps of the network beside its checkpoints.
    public var output: any TrainingOutput = WeightsOutput()

    /// Parts of a run on the processor or on the recipe's device.
    public init(
        recipe: Recipe = Recipe(), data: any Dataset, roles: TrainedRoles, objective: any Objective
    ) {
        (self.recipe, self.data, self.roles, self.objective) = (recipe, data, roles, objective)
        optimizers = OptimizerSettings(recipe.training)
        averageDecay = recipe.training.emaDecay
    }

    /// Parts with a network whose parameters are drawn from the recipe's seed.
    /// - Throws: what `network` throws; `TensorError` where the recipe's device is not there.
    public init(
        recipe: Recipe = Recipe(), data: any Dataset, objective: any Objective,
        network: (Weights) throws -> any NoiseNetwork
    ) throws {
        self.init(
            recipe: recipe, data: data, roles: try TrainedRoles(recipe, network: network),
            objective: objective)
    }
}

/// The networks of a run and every parameter that is trained.
public struct TrainedRoles {
    /// The parameters. What is conditioned on, such as a text encoder, may be among them.
    public let store: ParameterStore
    /// The network that learns to denoise.
    public let student: any NoiseNetwork

    /// Networks that are built already.
    public init(store: ParameterStore, student: any NoiseNetwork) {
        (self.store, self.student) = (store, student)
    }

    /// A network whose parameters are drawn from a recipe's seed, on its device.
    /// - Throws: what `network` throws; `TensorError` where the device is not there.
    public init(_ recipe: Recipe, network: (Weights) throws -> any NoiseNetwork) throws {
        let store = ParameterStore(
            .initialized(RandomGenerator(seed: UInt64(truncatingIfNeeded: recipe.seed))), purpose: .training,
            on: try Device(available: recipe.training.device),
            memoryFormat: recipe.training.memoryFormat.format)
        self.init(store: store, student: try store.build(network))
    }
}

/// How parameters are moved.
public struct OptimizerSettings: Sendable {
    /// The numbers of AdamW.
    public var adamW: AdamW.Configuration
    /// The learning rate of each step.
    public var learningRate: LearningRate
    /// The largest norm of all gradients together; 0 sets none.
    public var gradientClip: Double

    /// The settings of a recipe.
    public init(_ training: Recipe.TrainingSection) {
        adamW = .init(
            beta1: training.beta1, beta2: training.beta2, epsilon: training.epsilon,
            weightDecay: training.weightDecay)
        learningRate = LearningRate(
            peak: training.learningRate, warmupSteps: training.warmupSteps, totalSteps: training.steps,
            curve: training.schedule)
        gradientClip = training.gradientClip
    }
}

/// What examples become before noise is added, such as an autoencoder's latents.
public protocol ExampleCodec {
    /// The shape of one encoded example.
    func shape(of example: Shape) -> Shape
    /// Examples `[batch, …]` as the network meets them; what is random comes from the generator.
    func encoded(_ examples: Tensor, _ generator: RandomGenerator) throws -> Tensor
}

/// Examples as they are.
public struct PlainCodec: ExampleCodec {
    /// The codec.
    public init() {}
    /// The same.
    public func shape(of example: Shape) -> Shape { example }
    /// The same.
    public func encoded(_ examples: Tensor, _ generator: RandomGenerator) -> Tensor { examples }
}

/// How gradients are shared between the processes of a run.
public protocol GradientExchange {
    /// Makes the gradients of all processes their mean.
    func average(_ gradients: [Tensor]) throws
}

/// A run of one process.
public struct OneProcess: GradientExchange {
    /// The exchange.
    public init() {}
    /// Nothing to do.
    public func average(_ gradients: [Tensor]) {}
}

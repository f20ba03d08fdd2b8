import Datasets
import Diffusion
import Layers
import Networks
import Tensors

/// What a training run is made of. A recipe makes such parts, and so can any code of its own: own data, an own network
/// or an own loss is one part exchanged.
///
///     let task = try DenoisingTask(recipe, objective: loss) { try MyNetwork($0) }
///     task.conditioner = ClassConditioner(nullClass: 2, dropout: 0.1)
///     let parts = TrainingParts(recipe: recipe, data: points, task: task)
///     _ = try Trainer(parts, into: RunFolder("run", resume: true)).train()
public struct TrainingParts {
    /// The numbers of the run: its seed and the section `training`. It is saved with the run.
    public var recipe: Recipe
    /// What is learnt from.
    public var data: any Dataset
    /// What the loss is measured on beside; `nil` where nothing is held back.
    public var heldOut: (any Dataset)?
    /// What is learnt: the networks and their losses.
    public var task: any TrainingTask
    /// How parameters are moved.
    public var optimizers: OptimizerSettings
    /// Decay of the moving average of the parameters that samples are drawn from; 0 keeps none.
    public var averageDecay: Double
    /// How gradients are shared with other processes.
    public var exchange: any GradientExchange = OneProcess()
    /// What a run keeps of the network beside its checkpoints.
    public var output: any TrainingOutput = WeightsOutput()

    /// Parts of a run on the processor or on the recipe's device.
    public init(recipe: Recipe = Recipe(), data: any Dataset, task: any TrainingTask) {
        (self.recipe, self.data, self.task) = (recipe, data, task)
        optimizers = OptimizerSettings(recipe.training)
        averageDecay = recipe.training.emaDecay
    }

    /// Parts with a network that learns to denoise, conditioned on nothing, its parameters drawn from the recipe's seed.
    /// - Throws: what `network` throws; `TensorError` where the recipe's device is not there.
    public init(
        recipe: Recipe = Recipe(), data: any Dataset, objective: any Objective,
        network: (Weights) throws -> any NoiseNetwork
    ) throws {
        self.init(
            recipe: recipe, data: data,
            task: try DenoisingTask(recipe, objective: objective, network: network))
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

import Tensors

/// The name of something that goes into guidance beside its scale; raw values are the names of recipes and files.
public enum GuidanceOption: String, Sendable, CaseIterable {
    /// The noise levels where guidance acts.
    case interval = "guidance_interval"
    /// How guidance grows over the steps.
    case schedule = "guidance_schedule"
    /// φ, how far the result is brought back to the spread of the conditional branch.
    case rescale = "guidance_rescale"
    /// A worse version of the model.
    case guide
    /// A classifier of noisy samples.
    case classifier
    /// A CLIP that knows noise.
    case noisyCLIP = "noisy_clip"
    /// A condition that is not wanted.
    case negativePrompt = "negative_prompt"
    /// How much that condition repels.
    case negativeWeight = "negative_weight"
}

/// One evaluation of the model itself within a guided estimate.
public enum GuidanceBranch: Sendable, Equatable {
    /// Under no condition, or under a negative one that takes its place.
    case unconditional
    /// Under the wanted condition.
    case conditional
    /// Under a negative condition beside the unconditional branch.
    case negative
}

/// What a guided denoiser is made of.
public struct GuidanceParts {
    /// The model's denoiser for some branches, which pass through the network in one batch in their order.
    public var model: ([GuidanceBranch]) -> Denoiser
    /// A worse version of the model, under the wanted condition.
    public var guide: Denoiser?
    /// ln p(y|x) of samples `[batch, …]` at a level, `[batch]`, differentiable in the samples.
    public var classifier: (@Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor)?
    /// How alike texts and samples `[batch, …]` at a level are, `[batch]`, differentiable in the samples.
    public var similarity: (@Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor)?
    /// Whether steps read how the mean of each is to move (`Estimate.meanShift`).
    public var movesMeans = false
    /// The prediction that rescaling acts on.
    public var prediction: Prediction
    /// Whether the run climbs from data to noise.
    public var isInverse = false
    /// The steps of the run, for guidance that grows over them.
    public var grid: StepGrid?

    /// The parts of guidance within a model.
    public init(prediction: Prediction = .noise, model: @escaping ([GuidanceBranch]) -> Denoiser) {
        self.prediction = prediction
        self.model = model
    }
}

import Diffusion
import Pictures
import Tensors

/// What is wanted of a model. Whatever is left out is the model's own.
///
/// One type for every model: on pixels, on latents, and exact ones. A field that a model does not read is refused.
public struct Request: Sendable {
    /// Which classes to draw.
    public enum Classes: Sendable, Equatable {
        /// The same for every picture.
        case one(Int)
        /// All of them in turn, as many pictures of each as the count allows.
        case all
    }

    /// What a picture is made from, beside the prompt.
    public enum Reference: Sendable {
        /// A picture, encoded first.
        case picture(Picture)
        /// Latents as another model left them, `[count or 1, channels, height, width]`.
        case latents(Tensor)
    }

    /// Height and width in pixels.
    public struct Size: Sendable, Equatable, Codable {
        /// Pixels.
        public var height: Int
        /// Pixels.
        public var width: Int

        /// A size.
        public init(height: Int, width: Int) { (self.height, self.width) = (height, width) }
    }

    // MARK: What

    /// The prompts of a model that is conditioned on texts: one for each picture, or one for all.
    public var prompts: [String]?
    /// What the unconditional branch is given in place of what the model says, usually an empty text.
    public var negativePrompt: String?
    /// The classes; none where the model knows none, or for its unconditional branch.
    public var classes: Classes?
    /// The number of pictures.
    public var count = 1
    /// Picture i has seed + i.
    public var seed: UInt64 = 0
    /// Height of pictures in pixels.
    public var height: Int?
    /// Width of pictures in pixels.
    public var width: Int?

    // MARK: How

    /// The number of solver steps.
    public var steps: Int?
    /// The solver.
    public var solver: Method?
    /// How the steps are spread.
    public var grid: Grid?
    /// DDIM's η, and that of other methods that have one.
    public var eta: Double?
    /// S_churn, the noise that is put back before steps, over all steps together.
    public var churn: Double?
    /// S_tmin … S_tmax, the σ (for data of α = 1) where noise is put back.
    public var churnRange: ClosedRange<Double>?
    /// S_noise, what the noise that is put back is multiplied with.
    public var churnNoise: Double?
    /// Langevin steps at each noise level.
    public var langevinSteps: Int?
    /// The signal-to-noise ratio of Langevin steps.
    public var signalToNoise: Double?
    /// The scale of guidance. Without a `guidanceMethod` it is classifier-free guidance, and at 1 and below the
    /// conditional branch alone; a method takes its formula as written at every scale.
    public var guidance: Double?
    /// The method of guidance.
    public var guidanceMethod: GuidanceMethod?
    /// Where guidance acts: σ (for data of α = 1) above the lower end, up to the upper one.
    public var guidanceInterval: ClosedRange<Double>?
    /// How guidance grows over the steps; where `nil`, all of it acts at every one, unless the model says otherwise.
    public var guidanceSchedule: GuidanceSchedule?
    /// φ, how far guidance is brought back to the spread of the conditional branch.
    public var guidanceRescale = 0.0
    /// How much a negative prompt beside the unconditional branch repels; 1 where `nil`.
    public var negativeWeight: Double?
    /// A worse version of the model, for `autoguidance`.
    public var guide: Model?
    /// A network or exact model that gives a number for each class of a noisy sample, for guidance by a `classifier`.
    public var classifier: Model?
    /// A CLIP that knows noise, for guidance by `clip`.
    public var noisyCLIP: Model?
    /// The number of steps of unCLIP's prior, from a text to the embedding of a picture.
    public var priorSteps: Int?
    /// The prior's guidance; 1 and below is the conditional branch alone.
    public var priorGuidance: Double?
    /// The number of steps of what enlarges unCLIP's pictures.
    public var upscaleSteps: Int?
    /// What a decoder of CLIP's embeddings is given.
    public var embeddings = Embeddings()
    /// How the estimated data are kept in range at every step; as the model has it where `nil`.
    public var thresholding: Thresholding?
    /// Layers of CLIP that are left out.
    public var clipSkip = 0
    /// Whether prompts are read in the manner of AUTOMATIC1111's web interface: weights (`WeightedText`), changes over the
    /// steps (`PromptSchedule`), tags that name adapters (`PromptTag`).
    public var weighsWords = false
    /// How weights in prompts act.
    public var weightNormalization = WeightNormalization.a1111
    /// The deep layers of a U-Net run in the first of so many calls, and their output is reused in the others; 1 runs
    /// them in all.
    public var deepFeatureInterval = 1
    /// The most pictures that pass through the network at once; the pictures do not depend on it.
    public var batchSize: Int?
    /// Where noise is drawn from.
    public var rng = NoiseGenerator.torch

    // MARK: From where

    /// Unit noise to start from, `[count, channels, height, width]` or `[count, dimension]`, instead of drawing it.
    public var initial: Tensor?
    /// What to start from.
    public var reference: Reference?
    /// The picture that the reference is a smaller variation of, for models that enlarge it and begin with this one.
    public var original: Reference?
    /// Which part of the reference is made anew: where it is white.
    public var mask: Picture?
    /// What transparent parts of the reference and the mask are laid on; where `nil`, the colours that are stored under
    /// them count, as in diffusers.
    public var background: Colour?
    /// What the noise of the start is multiplied with; the model's own where `nil`, usually 1.
    public var temperature: Double?
    /// The share of the steps that are taken from the reference on.
    public var strength: Double?
    /// The time of the noise that is laid on a picture of lower resolution before it is enlarged, or on its embedding.
    public var noiseLevel: Int?
    /// How far away what the reference shows is, `[height, width]` in any unit, for models that are conditioned on it.
    public var depth: Tensor?
    /// Networks that control what is drawn by pictures.
    public var controls: [Control] = []
    /// Whether control acts on the conditional branch alone, and the less the higher the resolution.
    public var guessMode = false
    /// Pictures that are prompts beside the text.
    public var imagePrompts: [ImagePrompt] = []
    /// The models that go on with the pictures, one after the other: the further stages of a cascade.
    public var following: [FollowingStage] = []
    /// The share of the process at which to begin, with latents that another model left there.
    public var denoisingStart: Double?
    /// The share of the process at which to stop.
    public var denoisingEnd: Double?
    /// Whether a method with two calls of the network a step begins and stops between steps there, where diffusers
    /// counts calls.
    public var takesWholeSteps = false
    /// Whether the noise that leads to the reference is wanted in place of pictures.
    public var inverts = false
    /// Two seeds: the pictures begin with noise on the great circle between theirs, `count` of them evenly spaced.
    public var interpolation: (first: UInt64, last: UInt64)?
    /// The model that goes on where `denoisingEnd` (0.8) stops, such as SDXL's refiner.
    public var refiner: Model?

    // MARK: SDXL's numbers

    /// The original size that SDXL is conditioned on; the picture's own where `nil`.
    public var originalSize: Size?
    /// The target size that SDXL is conditioned on; the picture's own where `nil`.
    public var targetSize: Size?
    /// The corner of the crop that SDXL is conditioned on, from the top and from the left.
    public var crop = (top: 0, left: 0)
    /// The aesthetic scores that SDXL's refiner is conditioned on, with and without the prompt.
    public var aestheticScores = (wanted: 6.0, unwanted: 2.5)

    // MARK: Beside the pictures

    /// The folder of a tiny autoencoder (TAESD) that makes previews of latents.
    public var previewModel: String?
    /// The files that tensors and pictures of the request came from, by their purpose (`initial`, `image`, `original`, `mask`,
    /// `depth`), for the receipt.
    public var files: [String: InputFile] = [:]

    /// One picture with everything else the model's own.
    public init() {}

    /// One picture of a prompt.
    public init(_ prompt: String, seed: UInt64 = 0) {
        (self.prompts, self.seed) = ([prompt], seed)
    }

    /// The prompt of the first picture.
    public var prompt: String? {
        get { prompts?.first }
        set { prompts = newValue.map { [$0] } }
    }
}

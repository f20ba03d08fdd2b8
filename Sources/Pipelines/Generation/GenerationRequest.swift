import Pictures
import Tensors

/// What is asked of a model that diffuses latents. Whatever is left out is the model's own.
public struct GenerationRequest: Sendable {
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

    /// What every model is asked: number, seed, steps, solver, guidance, classes, size.
    public var sampling = SamplingRequest()
    /// What the pictures shall show.
    public var prompt: String?
    /// What they shall not show; what the model says where `nil`.
    public var negativePrompt: String?
    /// φ, how far guidance is brought back to the spread of the conditional branch.
    public var guidanceRescale = 0.0
    /// Layers of CLIP that are left out.
    public var clipSkip = 0
    /// Whether `(word:1.2)` in prompts is a weight.
    public var weighsWords = false
    /// What to start from.
    public var reference: Reference?
    /// Which part of the reference is made anew: where it is white.
    public var mask: Picture?
    /// What transparent parts of the reference and the mask are laid on; where `nil`, the colours that are stored under
    /// them count, as in diffusers.
    public var background: Colour?
    /// The share of the steps that are taken from the reference on.
    public var strength: Double?
    /// The share of the process at which to begin, with latents that another model left there.
    public var denoisingStart: Double?
    /// The share of the process at which to stop.
    public var denoisingEnd: Double?
    /// Whether a method with two calls of the network a step begins and stops between steps there, where diffusers
    /// counts calls.
    public var takesWholeSteps = false
    /// The size that SDXL is told the picture had; its own where `nil`.
    public var originalSize: Size?
    /// The size that SDXL is told is wanted.
    public var targetSize: Size?
    /// Where SDXL is told that the picture was cut out, from the top and from the left.
    public var crop = (top: 0, left: 0)
    /// What SDXL's refiner is told of the wanted and the unwanted picture's beauty.
    public var aestheticScores = (wanted: 6.0, unwanted: 2.5)

    /// One picture of nothing in particular.
    public init() {}
}

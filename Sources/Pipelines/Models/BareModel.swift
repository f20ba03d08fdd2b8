import Diffusion
import Tensors

/// A model without a run around it: its denoiser at any noise level, under conditions that are given for each example.
///
/// What is measured of a model at levels of one's own choice (its likelihood, what it makes of a noisy picture) is measured
/// of this.
public struct BareModel: Sendable {
    /// What an example is conditioned on.
    public enum Condition: Sendable, Equatable {
        /// Nothing: the unconditional branch of a model that has one, and an empty text where it takes texts.
        case none
        /// The class of each example.
        case classes([Int])
        /// The text of each example.
        case prompts([String])
    }

    /// A short name for messages.
    public let name: String
    /// The process that the network was trained on.
    public let process: Process
    /// The shape of an example: `[channels, height, width]`, or `[dimension]` of a point.
    public let sampleShape: Shape
    /// Where the elements of pictures lie, from black to white.
    public var dataRange = -1.0...1.0
    /// What height and width must be multiples of.
    public var sizeMultiple = 1
    /// The largest height or width; `nil` where any will do.
    public var largestSide: Int?
    /// The number of classes that stand for something; `nil` where there are none.
    public var classCount: Int?
    /// Whether it can do without a condition.
    public var hasUnconditional = true
    /// Whether it is conditioned on texts.
    public var takesPrompt = false
    /// Whether the network gives the variance of a step, too.
    public var learnsVariance = false
    /// The data, where they are known exactly.
    public var mixture: GaussianMixture?
    /// The element type of samples: that of the arithmetic, and no less than float32.
    public let elementType: ElementType
    /// Where it runs.
    public let device: Device
    /// Makes the denoiser of examples under a condition.
    let make: @Sendable (_ condition: Condition, _ count: Int) -> Denoiser

    /// The denoiser of `count` examples under a condition, for samples of any scaling.
    /// - Throws: `PipelineError` where the model has no such condition.
    public func denoiser(_ condition: Condition, count: Int) throws -> Denoiser {
        switch condition {
        case .none where !hasUnconditional:
            throw PipelineError(
                "\(name) is conditioned on classes and has no unconditional branch: give data with its \(classCount ?? 0) classes"
            )
        case .classes(let classes) where classCount == nil || classes.contains { $0 >= classCount! }:
            throw PipelineError("\(name) has not the classes of the data: leave them out")
        case .prompts where !takesPrompt:
            throw PipelineError("\(name) is not conditioned on a text: leave out the texts")
        default: return make(condition, count)
        }
    }

    /// Unit noise of each example for what is measured, one stream an example.
    public func noise(seed: UInt64, count: Int) -> NoiseSource {
        NoiseSource(seed: seed, count: count, elementType: elementType, on: device)
    }

    /// Data in −1 … 1 brought to the model's own range, type and device.
    public func own(_ data: Tensor) -> Tensor {
        let moved = data.to(elementType).to(device)
        guard dataRange != -1...1 else { return moved }
        let half = (dataRange.upperBound - dataRange.lowerBound) / 2
        return moved * half + (dataRange.lowerBound + half)
    }

    /// Data in the model's own range brought to −1 … 1.
    public func pictures(_ data: Tensor) -> Tensor {
        guard dataRange != -1...1 else { return data }
        let half = (dataRange.upperBound - dataRange.lowerBound) / 2
        return (data - (dataRange.lowerBound + half)) / half
    }
}

extension Model {
    /// The model without a run around it.
    /// - Throws: `PipelineError` where it diffuses latents, or needs conditions that cannot be given here.
    public func bare() throws -> BareModel { try assembly.bare() }
}

import Tensors

/// What a denoising network is told beside a noisy picture and its time. Each network takes what its
/// configuration asks for, and nothing else; a part has a row for each picture, or one row for all.
public struct Conditions {
    /// Classes `[batch]` as `int64`, or what else a class embedding takes.
    public var labels: Tensor?
    /// What attention looks at, such as an encoded text, `[batch, tokens, width]`.
    public var context: Tensor?
    /// Which tokens of the context are seen, 1 or 0, `[batch, tokens]`; all where `nil`.
    public var contextMask: Tensor?
    /// One vector for the whole text, `[batch, features]`.
    public var pooled: Tensor?
    /// Original size, crop and wanted size or score, `[batch, count]`, as SDXL embeds them beside the time.
    public var numbers: Tensor?
    /// The embedded guidance scale of a distilled network, `[batch, timeCondProjDim]`.
    public var guidance: Tensor?
    /// What a control network adds.
    public var control: Control?
    /// What the deep layers of a U-Net said in earlier calls, where they are to be reused; other networks have none.
    public var deepFeatures: DeepFeatures?
    /// What layers of attention make of the context, once a run: `NoiseNetwork.preparing(_:)`.
    package var projections: [String: ContextProjection] = [:]

    /// The given conditions, none where nothing is said.
    public init(
        labels: Tensor? = nil, context: Tensor? = nil, contextMask: Tensor? = nil, pooled: Tensor? = nil,
        numbers: Tensor? = nil, guidance: Tensor? = nil, control: Control? = nil
    ) {
        self.labels = labels
        self.context = context
        self.contextMask = contextMask
        self.pooled = pooled
        self.numbers = numbers
        self.guidance = guidance
        self.control = control
    }

    /// What a control network adds to the way down and to the middle.
    /// Source: Zhang et al. 2023 (arXiv:2302.05543), section 3.2.
    public struct Control {
        /// Added to what the way up reads, in the order in which the way down makes it.
        public var down: [Tensor]
        /// Added to what the middle gives.
        public var middle: Tensor

        /// The two parts.
        public init(down: [Tensor], middle: Tensor) {
            self.down = down
            self.middle = middle
        }

        func added(to skips: [Tensor]) -> [Tensor] {
            precondition(
                down.count == skips.count, "there are \(down.count) tensors of control for \(skips.count)")
            return zip(skips, down).map { $0 + $1 }
        }
    }
}

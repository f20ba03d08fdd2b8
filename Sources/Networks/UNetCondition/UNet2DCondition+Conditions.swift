import Tensors

extension UNet2DCondition {
    /// What a network is given beside the noisy picture and the time.
    public struct Conditions {
        /// What the transformers look at, such as an encoded text, `[batch, tokens, width]`.
        public var context: Tensor?
        /// Which tokens of the context are seen, 1 or 0, `[batch, tokens]`; all where `nil`.
        public var contextMask: Tensor?
        /// Classes `[batch]` as `int64`, or what else the class embedding takes.
        public var labels: Tensor?
        /// What is embedded beside the time.
        public var addition: Addition?
        /// The embedded guidance scale of a distilled network, `[batch, timeCondProjDim]`.
        public var guidance: Tensor?
        /// What a control network adds.
        public var control: Control?

        /// The given conditions, none where nothing is said.
        public init(
            context: Tensor? = nil, contextMask: Tensor? = nil, labels: Tensor? = nil,
            addition: Addition? = nil, guidance: Tensor? = nil, control: Control? = nil
        ) {
            self.context = context
            self.contextMask = contextMask
            self.labels = labels
            self.addition = addition
            self.guidance = guidance
            self.control = control
        }
    }

    /// What SDXL embeds beside the time.
    public struct Addition {
        /// One vector for the whole text, `[batch, features]`.
        public var text: Tensor
        /// Original size, crop and wanted size or score, `[batch, count]`.
        public var numbers: Tensor

        /// The two parts.
        public init(text: Tensor, numbers: Tensor) {
            self.text = text
            self.numbers = numbers
        }
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

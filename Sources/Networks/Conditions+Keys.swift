import Tensors

// The parts that networks here read. A network of another package adds keys of its own in the same way.

extension Conditions.Key where Part == Tensor {
    /// Classes `[batch]` as `int64`, or what else a class embedding takes.
    public static var labels: Self { Self("labels") }
    /// What attention reads, such as an encoded text, `[batch, tokens, width]`.
    public static var context: Self { Self("context") }
    /// Tokens of a text that the network encodes itself, `[batch, tokens]` as `int64`.
    public static var tokens: Self { Self("tokens") }
    /// Which tokens of the context are read, 1 or 0, `[batch, tokens]`; all without it.
    public static var contextMask: Self { Self("context mask") }
    /// One vector for a whole text, `[batch, features]`.
    public static var pooledText: Self { Self("pooled text") }
    /// Original size, crop and wanted size or score, `[batch, count]`, as SDXL embeds them beside the time.
    public static var numbers: Self { Self("numbers") }
    /// The embedded guidance scale of a distilled network, `[batch, timeCondProjDim]`.
    public static var guidance: Self { Self("guidance") }
    /// A picture of lower resolution to be enlarged, `[batch, channels, height, width]`.
    public static var lowResolution: Self { Self("low resolution") }
    /// The time of the noise that lies on the picture of lower resolution, `[batch]` or `[1]`.
    public static var noiseLevel: Self { Self("noise level") }
    /// Where a picture is to be made anew, 1 or 0, `[batch, 1, height, width]`.
    public static var mask: Self { Self("mask") }
    /// A picture of which a part is made anew, where the mask says, `[batch, channels, height, width]`.
    public static var knownPicture: Self { Self("known picture") }
    /// An embedding of a picture as a whole, `[batch, features]`.
    public static var embedding: Self { Self("embedding") }
}

extension Conditions.Key where Part == Conditions.Control {
    /// What a control network adds.
    public static var control: Self { Self("control") }
}

extension Conditions.Key where Part == DeepFeatures {
    /// The features of a U-Net's deep layers in earlier calls, where they are to be reused.
    public static var deepFeatures: Self { Self("deep features") }
}

extension Conditions.Key where Part == ContextProjections {
    /// Keys and values that layers of attention make of the context, once a run: `NoiseNetwork.preparing(_:)`.
    package static var projections: Self { Self("context projections") }
}

extension Conditions {
    /// What networks that control a U-Net add to its way down and to its middle.
    /// Source: Zhang et al. 2023 (arXiv:2302.05543), section 3.2; within blocks: Mou et al. 2023 (arXiv:2302.08453), section 3.3.
    public struct Control: ConditionPart {
        /// Added to what the way up reads, in the order in which the way down makes it; none or one for each.
        public var down: [Tensor]
        /// Added to what the middle gives.
        public var middle: Tensor?
        /// Added on the way down itself, after each block, or before it halves where it looks at a context; then in the middle.
        public var within: [Tensor]

        /// The parts.
        public init(down: [Tensor] = [], middle: Tensor? = nil, within: [Tensor] = []) {
            (self.down, self.middle, self.within) = (down, middle, within)
        }

        /// Those of the way down, the middle's, then those within blocks.
        public var tensors: [Tensor] { down + [middle].compactMap(\.self) + within }

        /// The same with every tensor passed through a function.
        public func map(_ transform: (Tensor) -> Tensor) -> Control {
            Control(
                down: down.map(transform), middle: middle.map(transform), within: within.map(transform))
        }

        /// This control and, in the rows after it, another one.
        public func followed(by other: Control) -> Control {
            Control(
                down: zip(down, other.down).map { concatenated([$0, $1]) },
                middle: middle.flatMap { own in other.middle.map { concatenated([own, $0]) } },
                within: zip(within, other.within).map { concatenated([$0, $1]) })
        }

        func added(to skips: [Tensor]) -> [Tensor] {
            guard !down.isEmpty else { return skips }
            precondition(
                down.count == skips.count, "there are \(down.count) tensors of control for \(skips.count)")
            return zip(skips, down).map { $0 + $1 }
        }
    }
}

/// What a network makes of a context alone: the keys and values for the layers that read it, by the names of the layers, and
/// the vector that is added to the embedded time.
package struct ContextProjections: ConditionPart {
    package var layers: [String: ContextProjection]
    /// `[batch, features of the embedded time]`; `nil` where nothing is added to it.
    package var pooled: Tensor?

    package init(_ layers: [String: ContextProjection], pooled: Tensor? = nil) {
        (self.layers, self.pooled) = (layers, pooled)
    }

    package subscript(layer: String) -> ContextProjection? { layers[layer] }

    package var tensors: [Tensor] {
        layers.sorted { $0.key < $1.key }.flatMap { [$0.value.key, $0.value.value] }
            + [pooled].compactMap(\.self)
    }

    package func map(_ transform: (Tensor) -> Tensor) -> ContextProjections {
        ContextProjections(
            layers.mapValues { ContextProjection(key: transform($0.key), value: transform($0.value)) },
            pooled: pooled.map(transform))
    }

    package func followed(by other: ContextProjections) -> ContextProjections {
        ContextProjections(
            layers.merging(other.layers) {
                ContextProjection(
                    key: concatenated([$0.key, $1.key]), value: concatenated([$0.value, $1.value]))
            }, pooled: pooled.flatMap { own in other.pooled.map { concatenated([own, $0]) } })
    }
}

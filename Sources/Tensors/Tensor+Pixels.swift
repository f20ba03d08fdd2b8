// Pictures `[batch, channels, height, width]`: pixels that become channels, and borders that mirror.

private let shuffle = Operator("aten::pixel_shuffle")
private let unshuffle = Operator("aten::pixel_unshuffle")
private let reflect = Operator("aten::reflection_pad2d")
private let replicate = Operator("aten::replication_pad2d")

extension Tensor {
    /// Every square of channels as a square of pixels: `[batch, channels · factor², height, width]` →
    /// `[batch, channels, height · factor, width · factor]`.
    /// Source: Shi et al. 2016 (arXiv:1609.05158), equation 4.
    public func channelsToPixels(_ factor: Int) -> Tensor { shuffle(.tensor(self), .int(factor)) }

    /// The other way round; sides are multiples of the factor.
    public func pixelsToChannels(_ factor: Int) -> Tensor { unshuffle(.tensor(self), .int(factor)) }

    /// A border of `width` pixels on each side that mirrors the picture, the pixels on its edge once; narrower than the picture.
    public func mirrored(around width: Int) -> Tensor {
        reflect(.tensor(self), .ints([width, width, width, width]))
    }

    /// Sides brought to multiples of a number by what mirrors at the right and lower border show, the pixel on the border
    /// once; a side of one pixel repeats it.
    public func mirrored(toMultiplesOf multiple: Int) -> Tensor {
        var result = self
        precondition(multiple > 0, "multiples of \(multiple)")
        while true {
            let needs = [3, 2].map { (multiple - result.shape[$0] % multiple) % multiple }
            if needs == [0, 0] { return result }
            // A mirror shows no more than there is.
            let shown = zip(needs, [3, 2]).map { Swift.min($0, result.shape[$1] - 1) }
            result =
                shown == [0, 0]
                ? replicate(.tensor(result), .ints([0, needs[0], 0, needs[1]]))
                : reflect(.tensor(result), .ints([0, shown[0], 0, shown[1]]))
        }
    }
}

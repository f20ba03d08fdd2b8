import Tensors

/// A large picture taken piece by piece. Pieces share a border; what a pixel of the result is made of begins at least
/// `context` pixels inside its piece, and over `blend` pixels in the middle of the border one piece fades into the next. So
/// the result is that of the whole picture where no pixel depends on others farther away than `context`, and has no seams
/// where it hardly does.
public struct PictureTiles: Sendable, Equatable {
    /// The side of a piece, in pixels of the picture.
    public let side: Int
    /// Pixels next to a cut that are left out of the result.
    public let context: Int
    /// Pixels over which pieces fade.
    public let blend: Int

    /// Pieces of a side.
    /// - Parameter unit: what pieces begin at multiples of; the side and the step from piece to piece are rounded to it.
    /// - Precondition: a piece fades into one neighbour before it fades into the next: `side` holds both contexts and three
    ///   times what fades.
    public init(side: Int, context: Int = 32, blend: Int = 16, unit: Int = 1) {
        self.side = max(1, side / unit) * unit
        (self.context, self.blend) = (context, blend)
        precondition(
            self.side >= 2 * context + 3 * blend + unit, "pieces of \(side) pixels hold no more than borders")
    }

    /// The least side of pieces, in units of some pixels.
    public static func leastSide(unit: Int) -> Int { (2 * 32 + 3 * 16 + 2 * unit) / unit * unit }

    /// The pieces of a side of the picture.
    /// - Parameter unit: what they begin at multiples of.
    public func ranges(of length: Int, unit: Int) -> [Range<Int>] {
        guard length > side else { return [0..<length] }
        let step = (side - 2 * context - blend) / unit * unit
        let starts = stride(from: 0, to: length - side, by: step)
        // The last piece is as long as the others, and up to a unit longer.
        return starts.map { $0..<$0 + side } + [(length - side) / unit * unit..<length]
    }

    /// How many pieces a picture has.
    public func count(height: Int, width: Int, unit: Int) -> Int {
        ranges(of: height, unit: unit).count * ranges(of: width, unit: unit).count
    }

    /// The larger picture, piece by piece.
    /// - Parameters:
    ///   - x: `[batch, channels, height, width]`
    ///   - scale: how many times larger the result is.
    ///   - unit: what pieces begin at multiples of.
    ///   - enlarge: makes a larger piece of one.
    /// - Returns: `[batch, outputs, height · scale, width · scale]`
    public func enlarged(
        _ x: Tensor, scale: Int, unit: Int, by enlarge: (Tensor) throws -> Tensor
    ) rethrows -> Tensor {
        let columns = ranges(of: x.shape[3], unit: unit)
        let rows = ranges(of: x.shape[2], unit: unit)
        let bands = try rows.map { row in
            let band = x.slice(row, of: 2)
            return joined(try columns.map { try enlarge(band.slice($0, of: 3)) }, columns, scale, along: 3)
        }
        return joined(bands, rows, scale, along: 2)
    }

    /// Pieces laid together: each up to where it fades into the next, what is between, and so on.
    private func joined(_ pieces: [Tensor], _ ranges: [Range<Int>], _ scale: Int, along dimension: Int)
        -> Tensor
    {
        guard pieces.count > 1 else { return pieces[0] }
        var parts: [Tensor] = []
        var begun = 0
        for (index, range) in ranges.enumerated() {
            func own(_ part: Range<Int>, of index: Int) -> Tensor {
                let start = ranges[index].lowerBound
                return pieces[index].slice(
                    (part.lowerBound - start) * scale..<(part.upperBound - start) * scale, of: dimension)
            }
            guard index + 1 < ranges.count else {
                parts.append(own(begun..<range.upperBound, of: index))
                break
            }
            let middle = (ranges[index + 1].lowerBound + range.upperBound) / 2
            let fading = middle - blend / 2..<middle - blend / 2 + blend
            parts.append(own(begun..<fading.lowerBound, of: index))
            if blend > 0 {
                let share = ramp(blend * scale, like: pieces[index], along: dimension)
                parts.append(own(fading, of: index) * (1 - share) + own(fading, of: index + 1) * share)
            }
            begun = fading.upperBound
        }
        return concatenated(parts, along: dimension)
    }

    /// From almost 0 to almost 1.
    private func ramp(_ count: Int, like x: Tensor, along dimension: Int) -> Tensor {
        var extents = [1, 1, 1, 1]
        extents[dimension] = count
        return ((Tensor.range(to: Double(count), .float64) + 0.5) / Double(count))
            .reshaped(Shape(extents)).to(x.elementType).to(x.device)
    }
}

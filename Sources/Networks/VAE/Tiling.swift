import Tensors

/// Large pictures piece by piece: overlapping tiles, each faded into the tiles above it and to its left, so
/// that memory stays that of one tile. What a tile cannot see (norms and attention look at the whole picture)
/// changes the result a little.
public struct Tiling: Equatable, Sendable {
    /// Height and width of a tile in pixels.
    public let pictureSize: Int
    /// Height and width of a tile in latents.
    public let latentSize: Int
    /// The share of a tile that its neighbour covers, too.
    public let overlap: Double

    /// Tiles of a size. Where `latentSize · overlap` is no whole number, the tiles of a result lie a little
    /// beside those that they were made of, as in diffusers.
    /// - Precondition: neighbours of the smallest tiles are at least one latent apart.
    public init(pictureSize: Int, latentSize: Int, overlap: Double = 0.25) {
        precondition(
            overlap >= 0 && Int(Double(min(latentSize, pictureSize)) * (1 - overlap)) >= 1,
            "tiles of \(latentSize) latents that share \(overlap) of themselves do not advance")
        self.pictureSize = pictureSize
        self.latentSize = latentSize
        self.overlap = overlap
    }

    /// Encodes `[batch, channels, height, width]`, tile by tile where a side is longer than one.
    func encode(_ pictures: Tensor, by encoder: (Tensor) -> Tensor) -> Tensor {
        apply(encoder, to: pictures, tile: pictureSize, result: latentSize)
    }

    /// Decodes `[batch, channels, height, width]`, tile by tile where a side is longer than one.
    func decode(_ latents: Tensor, by decoder: (Tensor) -> Tensor) -> Tensor {
        apply(decoder, to: latents, tile: latentSize, result: pictureSize)
    }

    /// - Parameters:
    ///   - tile: the size of a tile of `x`.
    ///   - result: the size of what `function` makes of it.
    private func apply(_ function: (Tensor) -> Tensor, to x: Tensor, tile: Int, result: Int) -> Tensor {
        let (height, width) = (x.shape[2], x.shape[3])
        guard height > tile || width > tile else { return function(x) }
        let step = Int(Double(tile) * (1 - overlap))
        let shared = Int(Double(result) * overlap)
        var rows: [Tensor] = []
        var above: [Tensor] = []
        for top in stride(from: 0, to: height, by: step) {
            var row: [Tensor] = []
            for (column, left) in stride(from: 0, to: width, by: step).enumerated() {
                let band = x.slice(top..<min(top + tile, height), of: 2)
                var piece = function(band.slice(left..<min(left + tile, width), of: 3))
                if top > 0 { piece = piece.faded(from: above[column], over: shared, along: 2) }
                if let before = row.last { piece = piece.faded(from: before, over: shared, along: 3) }
                row.append(piece)
            }
            rows.append(concatenated(row.map { $0.cropped(to: result - shared) }, along: 3))
            above = row
        }
        return concatenated(rows, along: 2)
    }
}

extension Tensor {
    /// This tensor with its first `count` slices changing from the last ones of `other` to its own.
    fileprivate func faded(from other: Tensor, over count: Int, along dimension: Int) -> Tensor {
        let (size, length) = (shape[dimension], other.shape[dimension])
        let count = Swift.min(count, size, length)
        guard count > 0 else { return self }
        var extents = [1, 1, 1, 1]
        extents[dimension] = count
        let share = (Tensor.range(to: Double(count), .float64) / Double(count)).reshaped(Shape(extents))
        func weight(_ share: Tensor) -> Tensor { share.to(elementType).to(device) }
        let mixed =
            other.slice(length - count..<length, of: dimension) * weight(1 - share)
            + slice(0..<count, of: dimension) * weight(share)
        return concatenated([mixed, slice(count..<size, of: dimension)], along: dimension)
    }

    /// The top left corner of at most `size` by `size`.
    fileprivate func cropped(to size: Int) -> Tensor {
        slice(0..<Swift.min(size, shape[2]), of: 2).slice(0..<Swift.min(size, shape[3]), of: 3)
    }
}

import Foundation
import Layers
import Tensors

/// The patches of a picture as tokens, row by row, to which their places are added. Parameters `proj.*`,
/// and the buffer `pos_embed` where the places are kept in a table.
/// Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), section 3.1.
package struct PatchEmbedding: Sendable {
    /// Where the vectors of places come from.
    enum Places {
        /// No places are added.
        case none
        /// Computed, so that any picture spans the places of one with `base` patches along a side.
        case computed(base: Int)
        /// Cut out of the middle of a table of `size` × `size` places.
        case table(Tensor, size: Int)
    }

    let projection: Convolution2D
    let places: Places

    /// Patches of `patch` × `patch` pixels as tokens of `width` features.
    ///
    /// - Parameters:
    ///   - base: patches along a side of the pictures that the network was made for.
    ///   - tableSize: places along a side of the table; without it there is none.
    init(channels: Int, width: Int, patch: Int, base: Int, tableSize: Int?, _ weights: Weights) {
        projection = Convolution2D(
            inputs: channels, outputs: width, kernel: patch, stride: patch, weights["proj"])
        guard let size = tableSize else {
            places = .computed(base: base)
            return
        }
        let table = weights.buffer(
            "pos_embed", [1, size * size, width],
            .computed { sinusoidalPlaces(rows: size, columns: size, base: base, width: width) })
        places = .table(table, size: size)
    }

    /// Patches as tokens to which no places are added.
    /// - Parameter initializer: of the projection's weights and biases; the usual one where `nil`.
    init(
        withoutPlaces channels: Int, width: Int, patch: Int, initializer: Initializer? = nil,
        _ weights: Weights
    ) {
        projection = Convolution2D(
            inputs: channels, outputs: width, kernel: patch, stride: patch, initializer: initializer,
            weights["proj"])
        places = .none
    }

    /// That of a transformer's configuration.
    package init(_ configuration: MMDiTConfiguration, _ weights: Weights) {
        self.init(
            channels: configuration.inChannels, width: configuration.width, patch: configuration.patchSize,
            base: configuration.sampleSize / configuration.patchSize,
            tableSize: configuration.posEmbedMaxSize, weights)
    }

    /// `[batch, channels, height, width]` → `[batch, patches, width]`
    func callAsFunction(_ picture: Tensor) -> Tensor {
        let grid = projection(picture)
        let tokens = grid.flattened(from: 2).transposed(1, 2)
        let places = vectors(
            rows: grid.shape[2], columns: grid.shape[3], width: grid.shape[1], on: grid.device)
        return (places.map { tokens + $0 } ?? tokens).to(picture.elementType).contiguous()
    }

    private func vectors(rows: Int, columns: Int, width: Int, on device: Device) -> Tensor? {
        switch places {
        case .none: return nil
        case .computed(let base):
            return sinusoidalPlaces(rows: rows, columns: columns, base: base, width: width, on: device)
        case .table(let table, let size):
            precondition(
                rows <= size && columns <= size,
                "\(rows) × \(columns) patches are more than the \(size) × \(size) that the network knows")
            let (top, left) = ((size - rows) / 2, (size - columns) / 2)
            return table.reshaped([size, size, width])
                .slice(top..<top + rows, of: 0).slice(left..<left + columns, of: 1)
                .reshaped([1, rows * columns, width])
        }
    }
}

/// Sines and cosines of the place of each patch: of its column in the first half of the features, of its
/// row in the second. Angles are place × 10,000^(−i / (width / 4)); places run from 0 to `base`, however
/// many there are.
/// Source: Peebles and Xie 2023 (arXiv:2212.09748), section 3.2, after Vaswani et al. 2017, section 3.5.
/// - Returns: `[1, rows · columns, width]`, float32
func sinusoidalPlaces(rows: Int, columns: Int, base: Int, width: Int, on device: Device = .cpu) -> Tensor {
    func axis(_ count: Int) -> Tensor {
        let quarter = Double(width / 4)
        let places = Tensor.range(to: Double(count), .float32, on: device) / (Double(count) / Double(base))
        let exponents = Tensor.range(to: quarter, .float64, on: device) * (-Foundation.log(10_000) / quarter)
        let angles = places.to(.float64).outer(exponents.exp())
        return concatenated([angles.sin(), angles.cos()], along: 1).to(.float32)
    }
    let shape: Shape = [rows, columns, width / 2]
    let halves = [
        axis(columns).unsqueezed(0).expanded(to: shape), axis(rows).unsqueezed(1).expanded(to: shape),
    ]
    return concatenated(halves, along: 2).reshaped([1, rows * columns, width])
}

/// The rows and columns of patches in a picture `[batch, channels, height, width]`.
func patchGrid(of picture: Tensor, patch: Int) -> (rows: Int, columns: Int) {
    let shape = picture.shape
    precondition(
        picture.failure != nil || (shape[2] % patch == 0 && shape[3] % patch == 0),
        "patches of \(patch) × \(patch) do not tile a picture of shape \(shape)")
    return (shape[2] / patch, shape[3] / patch)
}

/// The picture whose patches are tokens, row by row; the inverse of cutting it up.
/// - Parameter tokens: `[batch, rows · columns, patch · patch · channels]`, channels innermost.
/// - Returns: `[batch, channels, rows · patch, columns · patch]`
func joinedPatches(_ tokens: Tensor, rows: Int, columns: Int, patch: Int) -> Tensor {
    let (batch, channels) = (tokens.shape[0], tokens.shape[2] / (patch * patch))
    return tokens.reshaped([batch, rows, columns, patch, patch, channels]).permuted(0, 5, 1, 3, 2, 4)
        .reshaped([batch, channels, rows * patch, columns * patch])
}

import Pictures
import Tensors

/// How a picture came to the size that it has in a batch: its own size, and the corner and size of what was cut out of it
/// after it was resized.
///
/// Networks can be conditioned on these numbers, so that small and cut pictures teach no blur and no cut heads.
/// Source: Podell et al. 2023 (arXiv:2307.01952), section 2.2.
struct Framing: Hashable, Sendable {
    let originalHeight: Int, originalWidth: Int
    let top: Int, left: Int
    let height: Int, width: Int

    /// A picture that covers a rectangle, the middle cut out.
    init(of original: (width: Int, height: Int), over target: (width: Int, height: Int)) {
        let covering = Picture.Covering(of: original, over: target)
        (originalHeight, originalWidth) = (original.height, original.width)
        (top, left) = (covering.top, covering.left)
        (height, width) = (target.height, target.width)
    }
}

extension Batch {
    /// The names of the tensors of sizes, `[batch, 2]` float32 each, in the order in which SDXL embeds them.
    public static let sizeNames = ["original_size", "crop_top_left", "target_size"]

    /// Adds the tensors of sizes: height and width of each picture as it was, top and left of what was cut out of it
    /// resized, and height and width of that.
    mutating func record(_ framings: [Framing]) {
        let numbers: [(Framing) -> (Int, Int)] = [
            { ($0.originalHeight, $0.originalWidth) }, { ($0.top, $0.left) }, { ($0.height, $0.width) },
        ]
        for (name, pair) in zip(Self.sizeNames, numbers) {
            tensors[name] = Tensor(
                framings.flatMap { [Float(pair($0).0), Float(pair($0).1)] }, shape: [framings.count, 2])
        }
    }
}

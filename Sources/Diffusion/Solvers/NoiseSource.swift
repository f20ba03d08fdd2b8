import Tensors

/// The noise of a batch of pictures: one seeded stream a picture, so that a picture in a batch equals
/// that picture alone, on every device.
///
/// Stream i is libtorch's generator on the processor with seed S + i; it gives `[1, …]` for the start
/// and then once a step where the solver asks.
public struct NoiseSource: Sendable {
    private let generators: [RandomGenerator]
    private let elementType: ElementType
    private let device: Device

    /// Streams for `count` pictures from `seed` on.
    /// - Parameter elementType: what is drawn; half precisions are drawn in float32 and rounded.
    public init(seed: UInt64, count: Int, elementType: ElementType = .float32, on device: Device = .cpu) {
        generators = (0..<count).map { RandomGenerator(seed: seed &+ UInt64($0)) }
        self.elementType = elementType
        self.device = device
    }

    /// Standard normal noise for every picture.
    /// - Parameter shape: of one picture, `[channels, height, width]`
    /// - Returns: `[batch, channels, height, width]`
    public func draw(_ shape: Shape) -> Tensor {
        let drawn: ElementType = elementType == .float64 ? .float64 : .float32
        let pictures = generators.map { $0.normal(Shape([1] + shape.extents), drawn) }
        let batch = pictures.count == 1 ? pictures[0] : concatenated(pictures)
        return batch.to(elementType).to(device)
    }
}

import Tensors

/// The noise of a batch of pictures: one seeded stream a picture, so that a picture in a batch equals
/// that picture alone, on every device.
///
/// Stream i is libtorch's generator on the processor with seed S + i; it gives `[1, …]` for the start
/// and then once a step where the solver asks.
public struct NoiseSource: Sendable {
    private let streams: Streams
    private let elementType: ElementType
    private let device: Device

    /// Streams for `count` pictures from `seed` on.
    /// - Parameter elementType: what is drawn; half precisions are drawn in float32 and rounded.
    public init(seed: UInt64, count: Int, elementType: ElementType = .float32, on device: Device = .cpu) {
        streams = .own((0..<count).map { RandomGenerator(seed: seed &+ UInt64($0)) })
        self.elementType = elementType
        self.device = device
    }

    /// Streams between two seeds: every draw of a picture lies on the great circle between the draws of both, so that
    /// pictures of weight 0 and 1 are those of the seeds themselves, by methods that add noise, too.
    /// - Parameter weights: the place of each picture, from 0 (`first`) to 1 (`last`).
    public init(
        from first: UInt64, to last: UInt64, weights: [Double], elementType: ElementType = .float32,
        on device: Device = .cpu
    ) {
        streams = .between(RandomGenerator(seed: first), RandomGenerator(seed: last), weights)
        self.elementType = elementType
        self.device = device
    }

    /// Where noise comes from.
    private enum Streams: Sendable {
        /// One stream a picture.
        case own([RandomGenerator])
        /// Two streams for all pictures, and the place of each between them.
        case between(RandomGenerator, RandomGenerator, [Double])

        /// `[1, …]` for every picture.
        func draw(_ shape: Shape, _ type: ElementType) -> [Tensor] {
            switch self {
            case .own(let generators): return generators.map { $0.normal(shape, type) }
            case .between(let first, let last, let weights):
                let (a, b) = (first.normal(shape, type), last.normal(shape, type))
                return weights.map { sphericallyInterpolated(a, b, weight: $0) }
            }
        }
    }

    /// Standard normal noise for every picture.
    /// - Parameter shape: of one picture, `[channels, height, width]`
    /// - Returns: `[batch, channels, height, width]`
    public func draw(_ shape: Shape) -> Tensor {
        let drawn: ElementType = elementType == .float64 ? .float64 : .float32
        let pictures = streams.draw(Shape([1] + shape.extents), drawn)
        let batch = pictures.count == 1 ? pictures[0] : concatenated(pictures)
        return batch.to(elementType).to(device)
    }
}

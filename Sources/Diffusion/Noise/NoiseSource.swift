import Tensors

/// The noise of a batch of pictures: one seeded stream a picture, so that a picture in a batch equals
/// that picture alone, on every device.
///
/// Stream i is libtorch's generator on the processor, or another one, with seed S + i; it gives `[1, …]` for the start
/// and then once a step where the solver asks.
public struct NoiseSource: Sendable {
    private let streams: [Stream]
    private let elementType: ElementType
    private let device: Device

    /// Streams for `count` pictures from `seed` on.
    /// - Parameters:
    ///   - elementType: what is drawn; half precisions are drawn in float32 and rounded.
    ///   - generator: where it is drawn from.
    public init(
        seed: UInt64, count: Int, elementType: ElementType = .float32, on device: Device = .cpu,
        drawnBy generator: NoiseGenerator = .torch
    ) {
        streams = (0..<count).map { .own(generator.stream(seed: seed &+ UInt64($0))) }
        self.elementType = elementType
        self.device = device
    }

    /// Streams between two seeds: every draw of a picture lies on the great circle between the draws of both, so that
    /// pictures of weight 0 and 1 are those of the seeds themselves, by methods that add noise, too.
    /// - Parameter weights: the place of each picture, from 0 (`first`) to 1 (`last`).
    public init(
        from first: UInt64, to last: UInt64, weights: [Double], elementType: ElementType = .float32,
        on device: Device = .cpu, drawnBy generator: NoiseGenerator = .torch
    ) {
        streams = weights.map {
            .between(generator.stream(seed: first), generator.stream(seed: last), weight: $0)
        }
        self.elementType = elementType
        self.device = device
    }

    /// The streams of several sources, one after the other; draws go on where each of them stopped.
    /// - Precondition: there is one at least, and all draw the same type on the same device.
    public init(joining sources: [NoiseSource]) {
        streams = sources.flatMap(\.streams)
        (elementType, device) = (sources[0].elementType, sources[0].device)
    }

    /// The streams of some of the pictures: what is drawn of them is drawn of this source.
    public subscript(pictures: Range<Int>) -> NoiseSource {
        NoiseSource(streams: Array(streams[pictures]), elementType: elementType, on: device)
    }

    private init(streams: [Stream], elementType: ElementType, on device: Device) {
        (self.streams, self.elementType, self.device) = (streams, elementType, device)
    }

    /// Where the noise of one picture comes from.
    private enum Stream: Sendable {
        case own(any NormalStream)
        /// Two streams, and the place of the picture between them.
        case between(any NormalStream, any NormalStream, weight: Double)

        func draw(_ shape: Shape, _ type: ElementType) -> Tensor {
            switch self {
            case .own(let generator): generator.normal(shape, type)
            case .between(let first, let last, let weight):
                sphericallyInterpolated(first.normal(shape, type), last.normal(shape, type), weight: weight)
            }
        }
    }

    /// Standard normal noise for every picture.
    /// - Parameter shape: of one picture, `[channels, height, width]`
    /// - Returns: `[batch, channels, height, width]`
    public func draw(_ shape: Shape) -> Tensor {
        let drawn: ElementType = elementType == .float64 ? .float64 : .float32
        let pictures = streams.map { $0.draw(Shape([1] + shape.extents), drawn) }
        let batch = pictures.count == 1 ? pictures[0] : concatenated(pictures)
        return batch.to(elementType).to(device)
    }
}

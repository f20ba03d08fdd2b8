import Foundation
import Synchronization
import Tensors

/// What `torch.randn` gives on a CUDA device, computed on the processor: Philox4x32-10 (Salmon et al. 2011, "Parallel Random
/// Numbers: As Easy as 1, 2, 3"), and the Box–Muller transform of its first two words.
///
/// A card draws every number in a thread of its own, whose place is the counter, and the number of the draw the offset. A
/// tensor of more numbers than the card runs threads at once (some hundred thousand) is drawn in another order there, so large
/// ones are as AUTOMATIC1111's "NV" has them, which goes on as if there were threads enough.
public final class PhiloxStream: NormalStream {
    private let seed: UInt64
    private let draws = Mutex(UInt32(0))

    /// A stream that starts from a seed.
    public init(seed: UInt64) { self.seed = seed }

    /// The next numbers, one draw.
    public func normal(_ shape: Shape, _ type: ElementType) -> Tensor {
        let offset = draws.withLock { draws in
            defer { draws &+= 1 }
            return draws
        }
        let numbers = (0..<shape.elementCount).map { place in
            let words = Self.words(
                counter: [offset, 0, UInt32(truncatingIfNeeded: place), 0],
                key: (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
            return Self.normal(words[0], words[1])
        }
        return Tensor(numbers, shape: shape).to(type)
    }

    /// Ten rounds of Philox4x32 on a counter.
    package static func words(
        counter: SIMD4<UInt32>, key: (UInt32, UInt32)
    ) -> SIMD4<UInt32> {
        var (c, k) = (counter, key)
        for round in 0..<10 {
            if round > 0 { k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85) }
            let first = c[0].multipliedFullWidth(by: 0xD251_1F53)
            let second = c[2].multipliedFullWidth(by: 0xCD9E_8D57)
            c = [second.high ^ c[1] ^ k.0, second.low, first.high ^ c[3] ^ k.1, first.low]
        }
        return c
    }

    /// One number of two words: uniform in (0, 1] and (0, 2π], with the constants of float32 that CUDA has.
    private static func normal(_ x: UInt32, _ y: UInt32) -> Float {
        let u = Double(x) * perWord + perWord / 2
        let v = Double(y) * angle + angle / 2
        return Float((-2 * log(u)).squareRoot() * sin(v))
    }

    private static let perWord = Double(2.328_306_4e-10 as Float)
    private static let angle = Double(Float(2.328_306_4e-10 * 6.283_185_5 as Double))
}

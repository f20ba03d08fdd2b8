import Foundation
import Synchronization
import Tensors

/// `numpy.random.RandomState(seed).standard_normal`: the Mersenne Twister (Matsumoto and Nishimura 1998) and the polar method
/// of Marsaglia, whose second number waits for the next draw.
public final class MersenneTwisterStream: NormalStream {
    private let twister: Mutex<MersenneTwister>

    /// A stream that starts from a seed.
    public init(seed: UInt32) { twister = Mutex(MersenneTwister(seed: seed)) }

    /// The next numbers, in float64 and rounded where float32 is wanted.
    public func normal(_ shape: Shape, _ type: ElementType) -> Tensor {
        let numbers = twister.withLock { twister in
            (0..<shape.elementCount).map { _ in twister.normal() }
        }
        return Tensor(numbers, shape: shape).to(type)
    }
}

/// The generator MT19937 and its normal numbers.
private struct MersenneTwister {
    private var state: [UInt32]
    private var position = 624
    /// The second number of a pair.
    private var waiting: Double?

    init(seed: UInt32) {
        state = [seed]
        for i in 1..<624 {
            let last = state[i - 1]
            state.append(1_812_433_253 &* (last ^ last >> 30) &+ UInt32(i))
        }
    }

    mutating func normal() -> Double {
        if let number = waiting {
            waiting = nil
            return number
        }
        while true {
            let (x, y) = (2 * uniform() - 1, 2 * uniform() - 1)
            let square = x * x + y * y
            guard square < 1, square != 0 else { continue }
            let factor = (-2 * log(square) / square).squareRoot()
            waiting = factor * x
            return factor * y
        }
    }

    /// Uniform in 0 ..< 1 with 53 bits.
    private mutating func uniform() -> Double {
        let (high, low) = (word() >> 5, word() >> 6)
        return (Double(high) * 67_108_864 + Double(low)) / 9_007_199_254_740_992
    }

    private mutating func word() -> UInt32 {
        if position == 624 { twist() }
        var y = state[position]
        position += 1
        y ^= y >> 11
        y ^= y << 7 & 0x9D2C_5680
        y ^= y << 15 & 0xEFC6_0000
        return y ^ y >> 18
    }

    private mutating func twist() {
        for i in 0..<624 {
            let y = state[i] & 0x8000_0000 | state[(i + 1) % 624] & 0x7FFF_FFFF
            state[i] = state[(i + 397) % 624] ^ y >> 1 ^ (y & 1 == 0 ? 0 : 0x9908_B0DF)
        }
        position = 0
    }
}

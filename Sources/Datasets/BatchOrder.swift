/// The order in which training meets the pictures of a data set, decided by a seed alone.
///
/// Each epoch is a permutation of all pictures, shuffled by Fisher and Yates' method with the generator
/// SplitMix64 (Steele, Lea and Flood 2014) started from seed and epoch. The position says where the order
/// stands; an order made again with the same configuration and set to the same position goes on exactly.
public struct BatchOrder: Sendable {
    /// What becomes of the pictures at an epoch's end that do not fill a batch.
    public enum Remainder: String, Hashable, Sendable, Codable {
        /// They are left out of this epoch.
        case drop
        /// The batch is filled up from the next epoch; every picture is met.
        case wrap
    }

    /// Everything that decides the order.
    public struct Configuration: Hashable, Sendable, Codable {
        /// Pictures in the data set.
        public var count: Int
        /// Pictures in a batch.
        public var batchSize: Int
        /// The seed of the order.
        public var seed: UInt64
        /// What becomes of an incomplete last batch.
        public var remainder: Remainder
        /// Whether each picture of each epoch is mirrored with probability one half.
        public var mirrors: Bool

        /// A configuration; see the properties.
        public init(
            count: Int, batchSize: Int, seed: UInt64, remainder: Remainder = .wrap, mirrors: Bool = false
        ) {
            self.count = count
            self.batchSize = batchSize
            self.seed = seed
            self.remainder = remainder
            self.mirrors = mirrors
        }
    }

    /// Where an order stands: the next picture is number `index` of the permutation of `epoch`.
    public struct Position: Hashable, Sendable, Codable {
        /// The epoch, from 0.
        public var epoch: Int
        /// How many pictures of the epoch have been met.
        public var index: Int

        /// A position; the default is the beginning.
        public init(epoch: Int = 0, index: Int = 0) {
            self.epoch = epoch
            self.index = index
        }
    }

    /// One batch of the order.
    public struct Draw: Hashable, Sendable {
        /// Numbers of pictures in the data set.
        public let indices: [Int]
        /// Whether each is to be mirrored.
        public let isMirrored: [Bool]
        /// For each, which of several captions is taken: a number that is evenly distributed over all numbers.
        public let captions: [UInt64]
    }

    /// Everything that decides the order.
    public let configuration: Configuration
    /// Where the order stands, to be saved with a run.
    public private(set) var position: Position
    private var permutation: [Int]

    /// An order that begins, or goes on, at a position.
    ///
    /// - Throws: ``DatasetError`` where the configuration cannot be met: no pictures, no batch size, a batch
    ///   larger than the set while the remainder is dropped, or a position outside the epoch.
    public init(_ configuration: Configuration, at position: Position = Position()) throws {
        let (count, size) = (configuration.count, configuration.batchSize)
        guard count > 0, size > 0 else {
            throw DatasetError(
                "data order", "\(count) pictures in batches of \(size) give no order",
                remedy: "give a data set that is not empty and a batch size of 1 or more")
        }
        guard configuration.remainder == .wrap || size <= count else {
            throw DatasetError(
                "data order", "a batch of \(size) is larger than the data set of \(count)",
                remedy: "choose a batch size of at most \(count)")
        }
        guard position.epoch >= 0, (0...count).contains(position.index) else {
            throw DatasetError(
                "data order",
                "position \(position.index) of epoch \(position.epoch) is outside \(count) pictures",
                remedy: "resume with the data set that the run was started with")
        }
        self.configuration = configuration
        self.position = position
        permutation = BatchOrder.permutation(configuration, epoch: position.epoch)
    }

    /// Draws the next batch, always a full one, and moves on.
    public mutating func next() -> Draw {
        let left = configuration.count - position.index
        if left == 0 || configuration.remainder == .drop && left < configuration.batchSize {
            startNextEpoch()
        }
        var indices: [Int] = []
        var isMirrored: [Bool] = []
        var captions: [UInt64] = []
        while indices.count < configuration.batchSize {
            if position.index == configuration.count { startNextEpoch() }
            let index = permutation[position.index]
            indices.append(index)
            isMirrored.append(mirrors(index))
            captions.append(captionDraw(index))
            position.index += 1
        }
        return Draw(indices: indices, isMirrored: isMirrored, captions: captions)
    }

    private mutating func startNextEpoch() {
        position = Position(epoch: position.epoch + 1)
        permutation = BatchOrder.permutation(configuration, epoch: position.epoch)
    }

    /// A coin for the picture in this epoch, independent of where in the order it is met.
    private func mirrors(_ index: Int) -> Bool {
        guard configuration.mirrors else { return false }
        var generator = SplitMix64(configuration.seed, position.epoch, stream: 1 &+ UInt64(index))
        return generator.next() >> 63 == 1
    }

    /// Decides between the captions of an example in this epoch, independent of where in the order it is met.
    private func captionDraw(_ index: Int) -> UInt64 {
        var generator = SplitMix64(
            configuration.seed, position.epoch, stream: (1 << 63) &+ UInt64(index))
        return generator.next()
    }

    private static func permutation(_ configuration: Configuration, epoch: Int) -> [Int] {
        var generator = SplitMix64(configuration.seed, epoch, stream: 0)
        var order = Array(0..<configuration.count)
        for last in stride(from: order.count - 1, to: 0, by: -1) {
            order.swapAt(last, generator.number(below: last + 1))
        }
        return order
    }
}

/// Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014: a counter and a mixer.
package struct SplitMix64 {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// The generator of one epoch's stream: each of the three numbers is mixed in before the next is added.
    init(_ seed: UInt64, _ epoch: Int, stream: UInt64) {
        state = seed
        state = next() &+ UInt64(truncatingIfNeeded: epoch)
        state = next() &+ stream
        state = next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in 0 ..< `bound`, all equally likely (Lemire 2019: multiply, and refuse the biased part).
    mutating func number(below bound: Int) -> Int {
        let bound = UInt64(bound)
        let refused = (0 &- bound) % bound
        while true {
            let (high, low) = next().multipliedFullWidth(by: bound)
            if low >= refused { return Int(high) }
        }
    }
}

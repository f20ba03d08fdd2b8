/// The order in which training meets the pictures of a data set, decided by a seed alone.
///
/// Each epoch is a permutation of all pictures, shuffled by Fisher and Yates' method with the generator
/// SplitMix64 (Steele, Lea and Flood 2014) started from seed and epoch. The position says where the order
/// stands; an order made again with the same configuration and set to the same position goes on exactly.
///
/// Where pictures come in groups, such as those of one size, the permutation is walked along, and whenever a batch's worth of
/// one group has been met, that is the next batch. What is left of a group at an epoch's end waits for more of it in the
/// next, so every picture is met as often as any other.
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
    private let groups: [Int]?
    /// What was met of each group and fills no batch yet.
    private var waiting: [Int: [Place]] = [:]

    /// A picture, and the epoch in which it was met.
    struct Place: Hashable {
        let index: Int
        let epoch: Int
    }

    /// An order that begins, or goes on, at a position.
    ///
    /// - Parameter groups: The group of each picture, where a batch may hold pictures of one group only.
    /// - Throws: ``DatasetError`` where the configuration cannot be met: no pictures, no batch size, a batch
    ///   larger than the set (with groups, than every group) while the remainder is dropped, or a position outside the
    ///   epoch.
    public init(
        _ configuration: Configuration, groups: [Int]? = nil, at position: Position = Position()
    ) throws {
        try BatchOrder.check(configuration, groups, at: position)
        self.configuration = configuration
        self.position = position
        self.groups = groups
        permutation = BatchOrder.permutation(configuration, epoch: position.epoch)
        if let groups {
            waiting = BatchOrder.waiting(configuration, groups, at: position) {
                BatchOrder.permutation(configuration, epoch: $0)
            }
        }
    }

    static func check(
        _ configuration: Configuration, _ groups: [Int]? = nil, at position: Position
    ) throws {
        let (count, size) = (configuration.count, configuration.batchSize)
        guard count > 0, size > 0 else {
            throw DatasetError(
                "data order", "\(count) pictures in batches of \(size) give no order",
                remedy: "give a data set that is not empty and a batch size of 1 or more")
        }
        precondition(groups.map { $0.count == count } ?? true, "as many groups as pictures")
        let most = groups.map { Dictionary(grouping: $0) { $0 }.values.map(\.count).max() ?? 0 } ?? count
        guard configuration.remainder == .wrap || size <= most else {
            throw DatasetError(
                "data order", "a batch of \(size) is larger than the data set of \(most)",
                remedy: "choose a batch size of at most \(most)")
        }
        guard position.epoch >= 0, (0...count).contains(position.index) else {
            throw DatasetError(
                "data order",
                "position \(position.index) of epoch \(position.epoch) is outside \(count) pictures",
                remedy: "resume with the data set that the run was started with")
        }
    }

    /// Draws the next batch, always a full one, and moves on.
    public mutating func next() -> Draw {
        if let groups { return next(of: groups) }
        let left = configuration.count - position.index
        if left == 0 || configuration.remainder == .drop && left < configuration.batchSize {
            startNextEpoch()
        }
        var places: [Place] = []
        while places.count < configuration.batchSize { places.append(walk()) }
        return draw(places)
    }

    /// The next batch of one group.
    private mutating func next(of groups: [Int]) -> Draw {
        while true {
            let place = walk()
            let group = groups[place.index]
            waiting[group, default: []].append(place)
            if waiting[group]?.count == configuration.batchSize, let full = waiting.removeValue(forKey: group)
            {
                return draw(full)
            }
        }
    }

    /// The next picture of the permutation.
    private mutating func walk() -> Place {
        if position.index == configuration.count { startNextEpoch() }
        defer { position.index += 1 }
        return Place(index: permutation[position.index], epoch: position.epoch)
    }

    private mutating func startNextEpoch() {
        position = Position(epoch: position.epoch + 1)
        permutation = BatchOrder.permutation(configuration, epoch: position.epoch)
        if configuration.remainder == .drop { waiting = [:] }
    }

    private func draw(_ places: [Place]) -> Draw {
        Draw(
            indices: places.map(\.index),
            isMirrored: places.map { configuration.mirrors($0.index, epoch: $0.epoch) },
            captions: places.map { configuration.captionDraw($0.index, epoch: $0.epoch) })
    }

    /// What waits at a position: of each group what was met last and fills no batch.
    /// - Parameter met: the pictures in the order in which an epoch meets them.
    static func waiting(
        _ configuration: Configuration, _ groups: [Int], at position: Position, met: (_ epoch: Int) -> [Int]
    ) -> [Int: [Place]] {
        var (epoch, walked) = (position.epoch, position.index)
        var order = met(epoch)
        var missing: [Int: Int] = [:]
        if configuration.remainder == .wrap {
            for index in order { missing[groups[index], default: 0] += position.epoch }
        }
        for index in order[..<walked] { missing[groups[index], default: 0] += 1 }
        missing = missing.mapValues { $0 % configuration.batchSize }.filter { $0.value > 0 }
        var found: [Int: [Place]] = [:]
        // A group of few pictures may have waited for several epochs.
        while !missing.isEmpty {
            for index in order[..<walked].reversed() {
                guard let count = missing[groups[index]] else { continue }
                found[groups[index], default: []].append(Place(index: index, epoch: epoch))
                missing[groups[index]] = count == 1 ? nil : count - 1
            }
            guard !missing.isEmpty, epoch > 0 else { break }
            (epoch, walked) = (epoch - 1, configuration.count)
            order = met(epoch)
        }
        return found.mapValues { $0.reversed() }
    }

    private static func permutation(_ configuration: Configuration, epoch: Int) -> [Int] {
        var generator = SplitMix64(configuration.seed, epoch, stream: 0)
        return generator.permutation(of: configuration.count)
    }
}

extension BatchOrder.Configuration {
    /// A coin for a picture in an epoch, independent of where in the order it is met.
    func mirrors(_ index: Int, epoch: Int) -> Bool {
        guard mirrors else { return false }
        var generator = SplitMix64(seed, epoch, stream: 1 &+ UInt64(index))
        return generator.next() >> 63 == 1
    }

    /// Decides between the captions of an example in an epoch, independent of where in the order it is met.
    func captionDraw(_ index: Int, epoch: Int) -> UInt64 {
        var generator = SplitMix64(seed, epoch, stream: (1 << 63) &+ UInt64(index))
        return generator.next()
    }
}

/// Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014: a counter and a mixer.
package struct SplitMix64: RandomNumberGenerator {
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

    /// The numbers below a count, shuffled.
    mutating func permutation(of count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, number(below: last + 1)) }
        return order
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

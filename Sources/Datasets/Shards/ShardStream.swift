import Pictures
import Tensors

/// Batches of the samples of shards, which are read from their beginnings to their ends.
///
/// In each epoch the shards are shuffled, their samples pass through a ``ShuffleBuffer``, and batches are filled from it.
/// Where the order stands is the number of draws: the buffer's numbers follow from drawing as often, and what they stand for
/// is read again.
///
/// Where pictures keep about their own shapes, what is drawn waits until a batch's worth of one bucket has come together, as in
/// ``BatchOrder``.
final class ShardStream: BatchStream {
    /// A sample that was drawn.
    struct Drawn: Sendable {
        let sample: ShardSample
        let isMirrored: Bool
        let caption: UInt64
        /// Where the order stands after it.
        let position: BatchOrder.Position
    }

    /// How many of the following samples a batch may take in place of damaged ones.
    private static let spareCount = 8

    private let index: ShardIndex
    private let configuration: BatchOrder.Configuration
    private let capacity: Int
    private let maker: ShardBatchMaker
    /// The bucket of each place; nil without buckets.
    private let groups: [Int]?
    private(set) var position: BatchOrder.Position
    /// What was drawn and is in no batch yet.
    private var drawn: [Drawn] = []
    /// The same of each bucket, where there are some.
    private var waiting: [Int: [Drawn]] = [:]
    /// The epoch that is drawn from.
    private var epoch: Epoch

    /// An epoch that is read: which number comes next, and the samples that stand for the numbers in the buffer.
    private struct Epoch {
        let number: Int
        var drawCount: Int
        var buffer: ShuffleBuffer
        let walk: ShardWalk
        var samples: [Int: ShardWalk.Found] = [:]
        /// What of the numbers before ``ShuffleBuffer/next`` is in the buffer when reading begins; later all that comes in
        /// is.
        var first: Set<Int>?
    }

    /// - Parameters:
    ///   - capacity: samples in the buffer.
    ///   - maker: makes batches of samples.
    init(
        _ index: ShardIndex, _ configuration: BatchOrder.Configuration, capacity: Int,
        at position: BatchOrder.Position, _ maker: ShardBatchMaker
    ) throws {
        precondition(configuration.count == index.count, "an order of another number of samples")
        groups = index.groups
        try BatchOrder.check(configuration, index.usedGroups, at: position)
        (self.index, self.configuration, self.capacity) = (index, configuration, capacity)
        (self.position, self.maker) = (position, maker)
        epoch = Self.epoch(position.epoch, drawCount: position.index, index, configuration, capacity)
        if let groups { try readWaiting(groups) }
    }

    /// Reads what had been drawn before and fills no batch.
    private func readWaiting(_ groups: [Int]) throws {
        let places = BatchOrder.waiting(configuration, groups, at: position) { epoch in
            let (order, buffer) = Self.start(of: epoch, index, configuration, capacity)
            let places = index.places(inOrder: order)
            return sequence(state: buffer) { $0.draw() }.map { places[$0] }
        }
        let wanted = Set(places.values.joined().map(\.index))
        let walk = ShardWalk(
            index, order: Array(index.paths.indices), from: wanted.map(index.number).min() ?? index.count)
        var samples: [Int: ShardSample] = [:]
        while samples.count < wanted.count,
            let found = try walk.next(
                below: index.count, where: { wanted.contains(index.part.place(of: $0)) })
        { samples[found.place] = found.sample }
        waiting = places.mapValues { places in
            places.map { drawn(samples[$0.index]!, at: $0.index, epoch: $0.epoch, position) }
        }
    }

    /// The order of the shards in an epoch, and the buffer at its beginning.
    private static func start(
        of epoch: Int, _ index: ShardIndex, _ configuration: BatchOrder.Configuration, _ capacity: Int
    ) -> (order: [Int], buffer: ShuffleBuffer) {
        // Streams of their own beside those of permutations, coins and captions.
        var shards = SplitMix64(configuration.seed, epoch, stream: 1 << 62)
        let buffer = ShuffleBuffer(
            of: index.count, capacity: capacity, SplitMix64(configuration.seed, epoch, stream: 1 << 62 + 1))
        return (shards.permutation(of: index.paths.count), buffer)
    }

    /// The epoch after a number of draws. Nothing is read yet.
    private static func epoch(
        _ number: Int, drawCount: Int, _ index: ShardIndex, _ configuration: BatchOrder.Configuration,
        _ capacity: Int
    ) -> Epoch {
        var (order, buffer) = start(of: number, index, configuration, capacity)
        for _ in 0..<drawCount { _ = buffer.draw() }
        let walk = ShardWalk(index, order: order, from: buffer.slots.min() ?? index.count)
        return Epoch(
            number: number, drawCount: drawCount, buffer: buffer, walk: walk, first: Set(buffer.slots))
    }

    func next() throws -> @Sendable () throws -> Batch {
        let size = configuration.batchSize
        if let groups { return try next(of: groups) }
        try draw(size + Self.spareCount)
        let current = drawn[0].position.epoch
        if configuration.remainder == .drop, drawn[size - 1].position.epoch != current {
            drawn.removeAll { $0.position.epoch == current }
            try draw(size + Self.spareCount)
        }
        let (own, spares) = (Array(drawn[..<size]), Array(drawn[size...]))
        drawn.removeFirst(size)
        position = own[size - 1].position
        return { [maker] in try maker.batch(own, spares: spares) }
    }

    /// The next batch of one bucket. In place of a damaged picture stands another one of the batch.
    private func next(of groups: [Int]) throws -> @Sendable () throws -> Batch {
        while true {
            let (place, one) = try draw()
            if configuration.remainder == .drop, one.position.epoch != position.epoch { waiting = [:] }
            position = one.position
            waiting[groups[place], default: []].append(one)
            if waiting[groups[place]]?.count == configuration.batchSize,
                let own = waiting.removeValue(forKey: groups[place])
            {
                return { [maker] in try maker.batch(own, spares: own) }
            }
        }
    }

    /// Draws until so many samples wait.
    private func draw(_ count: Int) throws {
        while drawn.count < count { drawn.append(try draw().drawn) }
    }

    /// Draws a sample, with its place among all.
    private func draw() throws -> (place: Int, drawn: Drawn) {
        while true {
            try fill()
            guard let number = epoch.buffer.draw() else {
                epoch = Self.epoch(epoch.number + 1, drawCount: 0, index, configuration, capacity)
                continue
            }
            let found = epoch.samples.removeValue(forKey: number)!
            epoch.drawCount += 1
            let position = BatchOrder.Position(epoch: epoch.number, index: epoch.drawCount)
            return (found.place, drawn(found.sample, at: found.place, epoch: epoch.number, position))
        }
    }

    private func drawn(
        _ sample: ShardSample, at place: Int, epoch: Int, _ position: BatchOrder.Position
    ) -> Drawn {
        Drawn(
            sample: sample, isMirrored: configuration.mirrors(place, epoch: epoch),
            caption: configuration.captionDraw(place, epoch: epoch), position: position)
    }

    /// Reads on until every number in the buffer has its sample.
    private func fill() throws {
        let wanted = epoch.first
        while let found = try epoch.walk.next(
            below: epoch.buffer.next, where: { wanted?.contains($0) ?? true })
        { epoch.samples[found.number] = found }
        epoch.first = nil
    }
}

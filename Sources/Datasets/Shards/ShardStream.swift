import Pictures
import Tensors

/// Batches of the samples of shards, which are read from their beginnings to their ends.
///
/// In each epoch the shards are shuffled, their samples pass through a ``ShuffleBuffer``, and batches are filled from it.
/// Where the order stands is the number of draws: the buffer's numbers follow from drawing as often, and what they stand for
/// is read again.
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
    private(set) var position: BatchOrder.Position
    /// What was drawn and is in no batch yet.
    private var drawn: [Drawn] = []
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
        try BatchOrder.check(configuration, at: position)
        (self.index, self.configuration, self.capacity) = (index, configuration, capacity)
        (self.position, self.maker) = (position, maker)
        epoch = Self.epoch(position.epoch, drawCount: position.index, index, configuration, capacity)
    }

    /// The epoch after a number of draws. Nothing is read yet.
    private static func epoch(
        _ number: Int, drawCount: Int, _ index: ShardIndex, _ configuration: BatchOrder.Configuration,
        _ capacity: Int
    ) -> Epoch {
        // Streams of their own beside those of permutations, coins and captions.
        var shards = SplitMix64(configuration.seed, number, stream: 1 << 62)
        let order = shards.permutation(of: index.paths.count)
        var buffer = ShuffleBuffer(
            of: index.count, capacity: capacity, SplitMix64(configuration.seed, number, stream: 1 << 62 + 1))
        for _ in 0..<drawCount { _ = buffer.draw() }
        let walk = ShardWalk(index, order: order, from: buffer.slots.min() ?? index.count)
        return Epoch(
            number: number, drawCount: drawCount, buffer: buffer, walk: walk, first: Set(buffer.slots))
    }

    func next() throws -> @Sendable () throws -> Batch {
        let size = configuration.batchSize
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

    /// Draws until so many samples wait.
    private func draw(_ count: Int) throws {
        while drawn.count < count {
            try fill()
            guard let number = epoch.buffer.draw() else {
                epoch = Self.epoch(epoch.number + 1, drawCount: 0, index, configuration, capacity)
                continue
            }
            let found = epoch.samples.removeValue(forKey: number)!
            epoch.drawCount += 1
            drawn.append(
                Drawn(
                    sample: found.sample,
                    isMirrored: configuration.mirrors(found.place, epoch: epoch.number),
                    caption: configuration.captionDraw(found.place, epoch: epoch.number),
                    position: .init(epoch: epoch.number, index: epoch.drawCount)))
        }
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

/// The samples of some shards one after the other, from a number on.
final class ShardWalk {
    /// A sample, and its place among all.
    struct Found {
        /// Its number in the order of the walk, of those that are used.
        let number: Int
        let place: Int
        let sample: ShardSample
    }

    /// Pictures are read whole, and packed bytes in long pieces.
    static let pieceLength = 1 << 17

    private let index: ShardIndex
    /// The shards in the order in which they are read.
    private let order: [Int]
    private var turn: Int
    private var reader: ShardReader?
    /// The place of the next sample in the present shard.
    private var place = 0
    /// The number of the next sample in this order, of those that are used.
    private(set) var number: Int

    /// - Parameters:
    ///   - order: the shards in the order in which they are read.
    ///   - number: the number of the first sample that is wanted, counted in that order among those that are used.
    init(_ index: ShardIndex, order: [Int], from number: Int) {
        (self.index, self.order) = (index, order)
        var (turn, start) = (0, 0)
        while turn < order.count, start + index.count(of: order[turn]) <= number {
            start += index.count(of: order[turn])
            turn += 1
        }
        (self.turn, self.number) = (turn, start)
    }

    /// The next sample that is wanted; nil where there is none below a number.
    /// - Parameters:
    ///   - limit: the first number that the walk does not come to.
    ///   - isWanted: whether the sample of a number is read; else it is passed over.
    /// - Throws: ``DatasetError`` where a shard can no longer be read, or is another one than before.
    func next(below limit: Int, where isWanted: (_ number: Int) -> Bool = { _ in true }) throws -> Found? {
        while number < limit, turn < order.count {
            let shard = order[turn]
            if reader == nil {
                reader = try ShardReader(
                    index.paths[shard], texts: index.extensions, pieceLength: Self.pieceLength)
                place = index.starts[shard]
            }
            while number < limit, place < index.starts[shard + 1] {
                let isUsed = index.part.holds(place)
                let isRead = isUsed && isWanted(number)
                guard let sample = try reader?.next(isRead ? .all : .nothing) else {
                    throw DatasetError(
                        index.paths[shard], "the shard holds fewer samples than when the run began",
                        remedy: "leave shards alone while they are read")
                }
                defer { place += 1 }
                if isUsed { number += 1 }
                if isRead { return Found(number: number - 1, place: place, sample: sample) }
            }
            if place == index.starts[shard + 1] { (turn, reader) = (turn + 1, nil) }
        }
        return nil
    }
}

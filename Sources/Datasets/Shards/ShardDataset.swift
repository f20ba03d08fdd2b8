import Pictures
import Synchronization
import Tensors

/// Pictures in tar shards in the form of WebDataset: `key.jpg` (or `.png`, `.webp`) beside `key.txt` or `key.caption`
/// (captions), `key.json` (captions by columns) and `key.cls` (the number of a class).
///
/// Shards are plain or gzip, and are never extracted: names are only keys. A first pass walks along their headers, counts
/// samples and refuses what is damaged; batches then come from shards that are read from their beginnings to their ends, in an
/// order that is shuffled shard by shard and within a buffer. Memory holds the buffer and the batches that are made. A key
/// without a picture, or with one that cannot be read, is left out and listed in ``findings``; where more than one in twenty
/// cannot, the data set is an error.
public struct ShardDataset: Dataset {
    /// Which samples are used, by their place in the order of the shards.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        /// All but every tenth.
        case train
        /// Every tenth.
        case evaluation
        /// All.
        case all

        fileprivate var places: ShardIndex.Part {
            switch self {
            case .train: .train
            case .evaluation: .evaluation
            case .all: .all
            }
        }
    }

    /// `[channels, height, width]` as asked for.
    public let exampleShape: Shape
    /// The bucket of each sample; nil without buckets.
    public let shapeGroups: [Int]?
    /// Numbers of the classes; nil where there are none.
    public let classNames: [String]?
    private let index: ShardIndex
    private let maker: ShardBatchMaker
    private let shuffleBuffer: Int
    private let cursor: Cursor
    private let texts: CaptionTexts

    /// Walks along shards.
    ///
    /// - Parameters:
    ///   - paths: The shards; see ``ShardPaths``.
    ///   - width: Width of the pictures that come out.
    ///   - height: Their height.
    ///   - channels: 1 or 3.
    ///   - background: What transparent parts are laid on; where nil, the colours that are stored under them count.
    ///   - part: Which samples to use.
    ///   - readsCaptions: Whether pictures have captions.
    ///   - captionColumns: Extensions of members and keys of `.json` members, and how often each is drawn; where empty,
    ///     `.txt` and `.caption` members, else `text` and `caption` of `.json` members, all drawn alike.
    ///   - filter: How pictures are resized.
    ///   - buckets: Sizes of which each picture gets the one nearest to its shape; where nil, all get one size.
    ///   - shuffleBuffer: Samples among which the next one is drawn; they are in memory as they are stored.
    /// - Throws: ``DatasetError`` where a shard is missing, damaged or empty, or too many samples have no picture.
    public init(
        _ paths: [String], width: Int, height: Int, channels: Int = 3, background: Colour? = nil,
        part: Part = .all, readsCaptions: Bool = false, captionColumns: [CaptionColumn] = [],
        filter: ResizeFilter = .lanczos, buckets: AspectBuckets? = nil, shuffleBuffer: Int = 1000
    ) throws {
        precondition(!paths.isEmpty && shuffleBuffer > 0, "no shards, or no buffer")
        let columns = readsCaptions ? captionColumns : nil
        let index = try ShardIndex(paths, part: part.places, captions: columns, buckets: buckets)
        var findings = DatasetFindings()
        findings.folder = paths.count == 1 ? paths[0] : "\(paths[0]) and \(paths.count - 1) more shards"
        let damaged = part == .evaluation ? [] : index.damaged
        findings.total = index.count + (part == .evaluation ? 0 : index.withoutPicture)
        findings.heldBack = part == .train ? index.starts.last! - index.count : 0
        if readsCaptions { findings.withoutCaption = index.shards.reduce(0) { $0 + $1.withoutCaption } }
        let log = FindingsLog(findings)
        for error in damaged { try log.add(error) }
        if let columns { try index.checkCaptions(columns, of: findings.folder) }
        let classCount = try index.classCount()
        classNames = classCount.map { (0..<$0).map(String.init) }
        exampleShape = [channels, height, width]
        let reader = PictureReader(
            width: width, height: height, channels: channels, background: background, filter: filter,
            buckets: buckets, log: log)
        shapeGroups = index.usedGroups
        maker = ShardBatchMaker(reader: reader, hasClasses: classCount != nil, columns: columns)
        (self.index, self.shuffleBuffer) = (index, shuffleBuffer)
        (cursor, texts) = (Cursor(index), CaptionTexts())
    }

    /// The number of samples that have a picture.
    public var count: Int { index.count }

    /// What was found so far; a picture that is read later may add to it.
    public var findings: DatasetFindings { maker.reader.log.findings }

    /// The captions of the first samples, as many as fit into 32 MiB; they are read when they are first wanted.
    public var captions: [String] {
        guard let columns = maker.columns else { return [] }
        return texts.read(index, columns)
    }

    /// Batches of samples that stream from the shards.
    public func batches(
        _ order: BatchOrder.Configuration, at position: BatchOrder.Position
    ) throws -> any BatchStream {
        try ShardStream(index, order, capacity: shuffleBuffer, at: position, maker)
    }

    /// Samples by their numbers. Numbers that rise from call to call are read in one pass over the shards.
    ///
    /// - Throws: ``DatasetError`` where a shard can no longer be read, or too many pictures cannot.
    public func batch(at indices: [Int]) throws -> Batch {
        var (pictures, samples): ([PlacedPicture], [ShardSample]) = ([], [])
        for index in indices {
            precondition(index >= 0 && index < count, "sample \(index) of \(count)")
            var candidate = index
            while true {
                let sample = try cursor.sample(candidate)
                if let picture = try maker.picture(sample) {
                    pictures.append(picture)
                    samples.append(sample)
                    break
                }
                // This throws long before all pictures have been tried.
                repeat {
                    candidate = (candidate + 1) % count
                } while shapeGroups.map { $0[candidate] != $0[index] } ?? false
                if candidate == index { throw DatasetError(noneOfTheSizeOf: sample.name) }
            }
        }
        return try maker.batch(pictures, samples)
    }
}

/// Where samples are read by their numbers: behind the one that was read last.
private final class Cursor: Sendable {
    private struct State {
        let index: ShardIndex
        var walk: ShardWalk?

        mutating func sample(_ number: Int) throws -> ShardSample {
            let order = Array(index.paths.indices)
            // The shard of a number begins anew where the walk is behind it, or far before it.
            let shard = index.shard(of: index.part.place(of: number))
            let first = index.part.count(below: index.starts[shard])
            if walk.map({ $0.number > number || $0.number < first }) ?? true {
                walk = ShardWalk(index, order: order, from: number)
            }
            guard let found = try walk?.next(below: number + 1, where: { $0 == number }) else {
                preconditionFailure("sample \(number) is in no shard")
            }
            return found.sample
        }
    }

    private let state: Mutex<State>

    init(_ index: ShardIndex) { state = Mutex(State(index: index)) }

    func sample(_ number: Int) throws -> ShardSample { try state.withLock { try $0.sample(number) } }
}

/// The captions from which a vocabulary is learnt, read once.
private final class CaptionTexts: Sendable {
    private static let mostBytes = 32 << 20
    private let texts = Mutex<[String]?>(nil)

    func read(_ index: ShardIndex, _ columns: [CaptionColumn]) -> [String] {
        texts.withLock { texts in
            if let texts { return texts }
            // What cannot be read has been refused in the first pass.
            let found = (try? Self.captions(index, columns)) ?? []
            texts = found
            return found
        }
    }

    private static func captions(_ index: ShardIndex, _ columns: [CaptionColumn]) throws -> [String] {
        var (found, byteCount, place): ([String], Int, Int) = ([], 0, 0)
        for path in index.paths {
            var reader = try ShardReader(path, texts: index.extensions, pieceLength: 4096)
            while let sample = try reader.next(.texts) {
                defer { place += 1 }
                guard index.part.holds(place) else { continue }
                for caption in try sample.captions(columns).texts {
                    byteCount += caption.utf8.count + 32
                    found.append(caption)
                }
                if byteCount > mostBytes { return found }
            }
        }
        return found
    }
}

import Pictures
import Storage

/// What a first pass over the shards finds: how many samples each holds, and whether all of it can be read later.
///
/// A plain tar is walked along its headers; a packed one, and one whose pictures keep their shapes, is read once. Nothing of
/// the samples is kept.
struct ShardIndex: Sendable {
    /// Which samples are used, by their place among all.
    enum Part {
        case train, evaluation, all

        /// How many of the first places are used.
        func count(below place: Int) -> Int {
            switch self {
            case .train: place - place / 10
            case .evaluation: place / 10
            case .all: place
            }
        }

        func holds(_ place: Int) -> Bool { count(below: place + 1) > count(below: place) }

        /// The place of a sample by its number among those that are used.
        func place(of number: Int) -> Int {
            switch self {
            case .train: number + number / 9
            case .evaluation: number * 10 + 9
            case .all: number
            }
        }
    }

    /// What one shard holds.
    struct Shard: Sendable {
        var count = 0
        /// How many samples have a class, and the largest one.
        var labelled = 0
        var mostLabel = 0
        /// A key without a class.
        var withoutLabel: String?
        var withoutCaption = 0
        /// The columns of captions that any sample has.
        var columns: Set<String> = []
        var withoutPicture: [String] = []
        var noPictures: [PictureError] = []
        /// The bucket of each sample; empty without buckets.
        var groups: [Int] = []
    }

    let paths: [String]
    let part: Part
    /// The place of each shard's first sample, and at the end the number of all.
    let starts: [Int]
    let shards: [Shard]
    /// The bucket of each place, whether it is used or not; nil without buckets.
    let groups: [Int]?
    /// The extensions of the texts that are read.
    let extensions: Set<String>

    /// Walks over all shards.
    /// - Parameters:
    ///   - columns: the columns of captions; nil where none are read.
    ///   - buckets: sizes of which each picture gets the nearest to its shape; nil where all get one size.
    /// - Throws: ``DatasetError`` for the first shard that is damaged or holds no sample.
    init(
        _ paths: [String], part: Part, captions columns: [CaptionColumn]?, buckets: AspectBuckets? = nil
    ) throws {
        var extensions: Set = ["cls", "json"]
        if let columns {
            extensions.formUnion(
                columns.isEmpty ? CaptionReader.extensions : columns.map { $0.name.lowercased() })
        }
        let texts = extensions
        shards = try concurrentMap(paths) { try Self.shard($0, texts, columns, buckets) }
        starts = shards.reduce(into: [0]) { $0.append($0.last! + $1.count) }
        groups = buckets == nil ? nil : shards.flatMap(\.groups)
        (self.paths, self.part, self.extensions) = (paths, part, extensions)
    }

    /// A walk passes over most bytes, and is to read few of them.
    private static let pieceLength = 4096

    private static func shard(
        _ path: String, _ extensions: Set<String>, _ columns: [CaptionColumn]?, _ buckets: AspectBuckets?
    ) throws -> Shard {
        var reader = try ShardReader(
            path, texts: extensions, pieceLength: buckets == nil ? pieceLength : ShardWalk.pieceLength)
        var shard = Shard()
        while let sample = try reader.next(buckets == nil ? .texts : .all) {
            shard.count += 1
            if let buckets { shard.groups.append(group(of: sample.picture, buckets)) }
            if let label = try sample.label() {
                shard.labelled += 1
                shard.mostLabel = max(shard.mostLabel, label)
            } else {
                shard.withoutLabel = shard.withoutLabel ?? sample.key
            }
            // Names are read from it later, so that damage is to be known now.
            _ = try sample.json()
            guard let columns else { continue }
            if try sample.captions(columns).texts.isEmpty { shard.withoutCaption += 1 }
            for column in columns where !shard.columns.contains(column.name) {
                if try !sample.captions([column]).texts.isEmpty { shard.columns.insert(column.name) }
            }
        }
        (shard.withoutPicture, shard.noPictures) = (reader.withoutPicture, reader.noPictures)
        guard shard.count > 0 else {
            throw DatasetError(
                path, "there is no sample with a picture (.png, .jpg or .webp) in this shard",
                remedy: "leave it out, or pack it with key.jpg, key.txt and so on side by side")
        }
        return shard
    }

    /// The bucket of a picture by its header; the square one of a picture that is damaged, which whoever decodes it notes.
    private static func group(of picture: [UInt8], _ buckets: AspectBuckets) -> Int {
        guard let size = try? Picture.uprightSize(of: picture) else {
            return buckets.nearest(width: 1, height: 1)
        }
        return buckets.nearest(width: size.width, height: size.height)
    }

    // MARK: Places

    /// The number of samples that are used.
    var count: Int { part.count(below: starts.last!) }

    /// How many samples of a shard are used.
    func count(of shard: Int) -> Int {
        part.count(below: starts[shard + 1]) - part.count(below: starts[shard])
    }

    /// The places of the samples that are used, in the order of some shards.
    func places(inOrder order: [Int]) -> [Int] {
        order.flatMap { (starts[$0]..<starts[$0 + 1]).filter(part.holds) }
    }

    /// The number of a place among those that are used.
    func number(of place: Int) -> Int { part.count(below: place) }

    /// The bucket of each sample that is used, in the order of the shards; nil without buckets.
    var usedGroups: [Int]? {
        groups.map { groups in places(inOrder: Array(paths.indices)).map { groups[$0] } }
    }

    /// The shard that holds a place.
    func shard(of place: Int) -> Int {
        var (low, high) = (0, shards.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= place { low = middle } else { high = middle }
        }
        return low
    }

    // MARK: What is found

    /// The number of classes; nil where no sample has one.
    /// - Throws: ``DatasetError`` where some samples have a class and others none.
    func classCount() throws -> Int? {
        let labelled = shards.reduce(0) { $0 + $1.labelled }
        guard labelled > 0 else { return nil }
        if let bare = shards.indices.first(where: { shards[$0].withoutLabel != nil }) {
            throw DatasetError(
                paths[bare], "the key \(quoted(shards[bare].withoutLabel!)) has no .cls and others have",
                remedy: "give all samples a class or none")
        }
        return (shards.map(\.mostLabel).max() ?? 0) + 1
    }

    /// Checks that there are captions, of every column that is wanted.
    /// - Throws: ``DatasetError`` where there are none.
    func checkCaptions(_ columns: [CaptionColumn], of data: String) throws {
        let missing = columns.first { column in !shards.contains { $0.columns.contains(column.name) } }
        guard missing != nil || shards.allSatisfy({ $0.withoutCaption == $0.count }) else { return }
        throw DatasetError(
            data, "no sample has a caption\(missing.map { " of the column \(quoted($0.name))" } ?? "")",
            remedy: "pack key.txt beside key.jpg, or name keys of key.json")
    }

    /// The number of keys without a picture.
    var withoutPicture: Int { shards.reduce(0) { $0 + $1.withoutPicture.count } }

    /// What is wrong with the samples that cannot be used.
    var damaged: [PictureError] {
        zip(paths, shards).flatMap { path, shard in
            shard.noPictures
                + shard.withoutPicture.map {
                    PictureError(
                        .unreadable, "there is no .png, .jpg or .webp picture of this key",
                        remedy: "pack it with its picture beside it", file: path + "/" + $0)
                }
        }
    }
}

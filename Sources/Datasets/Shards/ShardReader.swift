import Pictures
import Storage

/// The samples of a shard, one after the other: members that stand together and share a key.
struct ShardReader {
    /// What of a sample is read.
    enum Load {
        /// Nothing: it is passed over.
        case nothing
        /// Its texts, and whether the picture begins as one.
        case texts
        /// Everything.
        case all
    }

    private static let mostPictureBytes = 1 << 28
    private static let mostTextBytes = 1 << 20

    private let path: String
    private var tar: TarReader
    /// The texts that are read, by extension.
    private let extensions: Set<String>
    /// The first member of the next sample.
    private var pending: (member: TarReader.Member, key: String, ending: String)?
    private var hasBegun = false
    /// Keys without a picture that were passed over.
    private(set) var withoutPicture: [String] = []
    /// What is wrong with pictures whose first bytes are none of a picture.
    private(set) var noPictures: [PictureError] = []

    /// Opens a shard.
    /// - Parameters:
    ///   - extensions: of the texts that are read.
    ///   - pieceLength: how many bytes are read at once.
    /// - Throws: ``DatasetError``
    init(_ path: String, texts extensions: Set<String>, pieceLength: Int) throws {
        self.path = path
        self.extensions = extensions
        tar = TarReader(try ShardBytes(path, pieceLength: pieceLength))
    }

    /// The next sample that has a picture; nil after the last one.
    /// - Throws: ``DatasetError`` where the shard is damaged, or a sample has two members of one extension.
    mutating func next(_ load: Load) throws -> ShardSample? {
        if !hasBegun {
            hasBegun = true
            try advance()
        }
        while let first = pending {
            var sample = ShardSample(shard: path, key: first.key)
            var seen: Set<String> = []
            while let (member, key, ending) = pending, key == first.key {
                guard seen.insert(ending).inserted else {
                    throw refusal("there are two members \(quoted(member.name))")
                }
                try take(member, ending, into: &sample, load)
                try advance()
            }
            if !sample.pictureExtension.isEmpty { return sample }
            if !seen.isDisjoint(with: Self.textEndings.union(extensions)) { withoutPicture.append(first.key) }
        }
        return nil
    }

    /// What says that a sample was meant: a file of notes beside them is none.
    private static let textEndings: Set = ["txt", "caption", "cls", "json"]

    private mutating func take(
        _ member: TarReader.Member, _ ending: String, into sample: inout ShardSample, _ load: Load
    ) throws {
        if PictureFormat(fileExtension: ending) != nil {
            guard sample.pictureExtension.isEmpty else {
                throw refusal(
                    "there are two pictures of the key \(quoted(sample.key)), .\(sample.pictureExtension) and .\(ending)"
                )
            }
            sample.pictureExtension = ending
            guard member.size <= Self.mostPictureBytes else {
                throw refusal(
                    "\(quoted(member.name)) has \(member.size) bytes, where \(Self.mostPictureBytes) is the most"
                )
            }
            switch load {
            case .nothing: break
            case .texts: try look(at: member, named: sample.name)
            case .all:
                try look(at: member, named: sample.name)
                sample.picture = try tar.content(limit: Self.mostPictureBytes)
            }
        } else if extensions.contains(ending), load != .nothing {
            guard member.size <= Self.mostTextBytes else {
                throw refusal(
                    "\(quoted(member.name)) has \(member.size) bytes, where a text has at most \(Self.mostTextBytes)"
                )
            }
            sample.texts[ending] = try tar.content(limit: Self.mostTextBytes)
        }
    }

    /// Notes a picture that does not begin as one.
    private mutating func look(at member: TarReader.Member, named name: String) throws {
        let first = member.size == 0 ? [] : Array(try tar.bytes.peek(min(member.size, 12)))
        guard first.count == min(member.size, 12), PictureFormat(content: first) == nil else { return }
        noPictures.append(
            PictureError(
                .unsupported,
                first.isEmpty ? "the file is empty" : "this is no PNG, JPEG or WebP picture",
                remedy: "convert it to one of them", file: name))
    }

    /// Goes on to the next member that belongs to a sample.
    private mutating func advance() throws {
        while let member = try tar.next() {
            guard let (key, ending) = ShardSample.parts(of: member.name) else { continue }
            pending = (member, key, ending)
            return
        }
        pending = nil
    }

    private func refusal(_ problem: String) -> DatasetError {
        DatasetError(path, problem, remedy: "pack the shard again")
    }
}

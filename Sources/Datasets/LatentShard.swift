import Checkpoints
import Storage
import Tensors

/// A file of encoded latents. Rows are read as they are needed; nothing of it is kept but the texts of captions.
///
/// It holds `mean` and `deviation` `[count, channels, height, width]`, the same of mirrored pictures under `mirrored.`,
/// `labels` `[count]`, and the captions: `caption.ends` `[count]`, up to which each example's captions go in
/// `caption.texts`, which are numbers of texts; `text.bytes` in UTF-8, each text up to its place in `text.ends`;
/// `caption.weights` where captions are not drawn alike; and the texts'
/// embeddings `text.context` `[texts, tokens, width]` and `text.pooled` `[texts, width]`. The first text is the empty one.
struct LatentShard: Sendable {
    let path: String
    let count: Int
    /// Every text.
    let texts: [String]
    /// The numbers of each example's captions among the texts.
    let captions: [[Int]]
    /// How often each is drawn, in proportion to the others of its example; nil where all are drawn alike.
    let captionWeights: [[Double]]?
    private let entries: [String: SafetensorsHeader.Entry]
    /// Where the tensors begin in the file.
    private let start: Int

    /// Opens a file and compares it with what the manifest says.
    /// - Throws: ``DatasetError`` where it is missing, damaged or another file.
    init(_ file: LatentManifest.File, of manifest: LatentManifest, in folder: String) throws {
        (path, count) = ("\(folder)/\(file.name)", file.count)
        do {
            let opened = try SafetensorsFile(path: path)
            let byteCount = try RegularFile(opening: path).byteCount
            guard byteCount == file.byteCount else {
                throw ContentError(path, "it has \(byteCount) bytes, and \(file.byteCount) were written")
            }
            let all = opened.names.map { ($0, opened.header.entries[$0]!) }
            entries = Dictionary(uniqueKeysWithValues: all)
            start = byteCount - (all.map(\.1.range.upperBound).max() ?? 0)
            try Self.check(Self.tensors(of: file, manifest), among: entries, path)
            guard try DigestCache.user().sha256(ofFile: path) == file.sha256 else {
                throw ContentError(path, "its bytes are not those that were written")
            }
            (texts, captions, captionWeights) =
                try manifest.hasCaptions ? Self.captions(in: opened) : ([], [], nil)
            try Self.check(Self.embeddings(of: texts.count, manifest), among: entries, path)
            guard !manifest.hasCaptions || texts.first == "" else {
                throw ContentError(path, "its first text is not the empty one")
            }
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem, remedy: "encode the data again")
        } catch let error as FileError {
            throw DatasetError(path, error.reason, remedy: "encode the data again")
        }
    }

    /// A tensor that a file must hold.
    private struct Needed {
        let name: String
        let shape: [Int]
        var type = ElementType.float32
    }

    private static func tensors(of file: LatentManifest.File, _ manifest: LatentManifest) -> [Needed] {
        let kinds = manifest.hasDeviations ? ["mean", "deviation"] : ["mean"]
        let prefixes = manifest.hasMirrored ? ["", "mirrored."] : [""]
        var needed = prefixes.flatMap { prefix in
            kinds.map { Needed(name: prefix + $0, shape: [file.count] + manifest.latentShape) }
        }
        if manifest.classNames != nil {
            needed.append(Needed(name: "labels", shape: [file.count], type: .int64))
        }
        if manifest.hasCaptions {
            needed.append(Needed(name: "caption.ends", shape: [file.count], type: .int64))
        }
        return needed
    }

    private static func embeddings(of count: Int, _ manifest: LatentManifest) -> [Needed] {
        guard let encoder = manifest.textEncoder else { return [] }
        return [
            Needed(name: "text.context", shape: [count, encoder.tokens, encoder.width]),
            Needed(name: "text.pooled", shape: [count, encoder.width]),
        ]
    }

    private static func check(
        _ needed: [Needed], among entries: [String: SafetensorsHeader.Entry], _ path: String
    ) throws {
        for tensor in needed {
            guard let entry = entries[tensor.name] else {
                throw ContentError(path, "there is no \(tensor.name) in it")
            }
            guard entry.dimensions == tensor.shape, entry.type.elementType == tensor.type else {
                throw ContentError(
                    path,
                    "\(tensor.name) has the shape \(entry.dimensions) and elements of type \(entry.type.rawValue), and \(tensor.shape) of \(tensor.type.name) are needed"
                )
            }
        }
    }

    // MARK: Captions

    private static func captions(in file: SafetensorsFile) throws -> (
        texts: [String], captions: [[Int]], weights: [[Double]]?
    ) {
        func numbers(_ name: String) throws -> [Int] { try file.tensor(named: name).array(of: Int.self) }
        let bytes = try file.tensor(named: "text.bytes").array(of: UInt8.self)
        let texts = try pieces(of: bytes, upTo: numbers("text.ends"), file.path).map {
            String(decoding: $0, as: UTF8.self)
        }
        let ends = try numbers("caption.ends")
        let captions = try pieces(of: numbers("caption.texts"), upTo: ends, file.path).map(Array.init)
        let weights =
            try file.names.contains("caption.weights")
            ? pieces(of: file.tensor(named: "caption.weights").array(of: Double.self), upTo: ends, file.path)
                .map(Array.init) : nil
        guard captions.joined().allSatisfy(texts.indices.contains) else {
            throw ContentError(file.path, "a caption is none of its texts")
        }
        return (texts, captions, weights)
    }

    private static func pieces<Element>(of all: [Element], upTo ends: [Int], _ path: String) throws
        -> [ArraySlice<Element>]
    {
        var begin = 0
        return try ends.map { end in
            guard end >= begin, end <= all.count else {
                throw ContentError(path, "its captions do not follow one another")
            }
            defer { begin = end }
            return all[begin..<end]
        }
    }

    // MARK: Rows

    /// Rows of tensors of one shape a row, a name and a number each, in their order.
    /// - Returns: `[rows, …]`
    /// - Throws: ``DatasetError`` where the file can no longer be read.
    func rows(_ wanted: [(name: String, row: Int)]) throws -> [[UInt8]] {
        do {
            let file = try RegularFile(opening: path)
            return try wanted.map { name, row in
                guard let entry = entries[name], let count = entry.dimensions.first, row < count else {
                    throw ContentError(path, "there is no row \(row) of \(name) in it")
                }
                let length = entry.range.count / count
                return try file.read(length, at: start + entry.range.lowerBound + row * length)
            }
        } catch let error as ContentError {
            throw DatasetError(error.place, error.problem, remedy: "encode the data again")
        }
    }

    /// The shape of a row of a tensor that is there, and what its elements are.
    func layout(of name: String) -> (row: Shape, type: ElementType) {
        let entry = entries[name]!
        return (Shape(Array(entry.dimensions.dropFirst())), entry.type.elementType!)
    }
}

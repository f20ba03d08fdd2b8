import Foundation
import Pictures
import Storage
import Tensors

/// Pictures in a folder: all in one, without classes, or a folder for each class, or with the labels that the rows
/// of `metadata.jsonl` give.
///
/// Classes are the folders in the order of their names, pictures are ordered by class and name (bytes of
/// UTF-8), so numbers mean the same on every machine. Each picture is resized to cover the wanted size and
/// its middle is cut out. A picture that cannot be read is left out and listed in ``findings``; where more
/// than one in twenty cannot, the data set is an error.
public struct FolderDataset: Dataset {
    /// Which pictures of each class are used, by their place in the order of names.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        /// All but every tenth.
        case train
        /// Every tenth; none of a class that has fewer than ten.
        case evaluation
        /// All.
        case all

        fileprivate func holds(_ place: Int) -> Bool {
            self == .all || (place % 10 == 9) == (self == .evaluation)
        }
    }

    /// `[channels, height, width]` as asked for.
    public let exampleShape: Shape
    /// Names of the folders or labels; nil where there are no classes.
    public let classNames: [String]?
    private let files: [PictureFile]
    private let hasCaptions: Bool
    private let reader: PictureReader
    private let stored: StoredPictures?
    private let log: FindingsLog

    /// Opens a folder of pictures (`.png .jpg .jpeg .webp`; other files and hidden ones are not looked at).
    ///
    /// Where all pictures fit into `memoryLimit` they are decoded now; else only their headers are read now,
    /// and a picture that turns out to be damaged is later replaced by the next readable one.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - width: Width of the pictures that come out.
    ///   - height: Their height.
    ///   - channels: 1 or 3.
    ///   - background: What transparent parts are laid on; where nil, the colours that are stored under them count.
    ///   - part: Which pictures to use. A part may be empty where there are few.
    ///   - readsCaptions: Whether the texts of `metadata.jsonl` are the pictures' captions.
    ///   - filter: How pictures are resized.
    ///   - memoryLimit: The most bytes of pixels to keep in memory.
    /// - Throws: ``DatasetError`` where the folder is missing or empty, holds pictures both in itself and in
    ///   folders, where a row of `metadata.jsonl` is not understood, or where more than 5 % of the pictures cannot be
    ///   read.
    public init(
        folder: URL, width: Int, height: Int, channels: Int = 3, background: Colour? = nil, part: Part = .all,
        readsCaptions: Bool = false, filter: ResizeFilter = .lanczos, memoryLimit: Int = 1 << 30
    ) throws {
        guard width > 0, height > 0, width <= 16384, height <= 16384, [1, 3].contains(channels) else {
            throw DatasetError(
                folder.path, "pictures of \(width)×\(height) with \(channels) channels cannot be made",
                remedy: "give sizes of 1 to 16384 and 1 or 3 channels")
        }
        let listing = try FolderListing(folder, readsTexts: readsCaptions)
        let wanted = listing.files(where: part.holds)
        let missing = part == .evaluation ? [] : listing.missing
        var findings = listing.findings
        findings.folder = folder.path
        (findings.total, findings.heldBack) = (
            wanted.count + missing.count, listing.files.count - wanted.count
        )
        let log = FindingsLog(findings)
        for error in missing { try log.add(error) }
        let reader = PictureReader(
            width: width, height: height, channels: channels, background: background, filter: filter, log: log
        )
        let isSmall = wanted.count <= memoryLimit / (width * height * channels)
        let pictures = try concurrentMap(wanted) { file -> [UInt8]? in
            do throws(PictureError) {
                return isSmall ? try reader.pixels(of: file.url) : try reader.checkHeader(of: file.url)
            } catch {
                try log.add(error)
                return nil
            }
        }
        let readable = zip(wanted, pictures).filter { $0.1 != nil }
        files = readable.map(\.0)
        hasCaptions = readsCaptions
        classNames = listing.classNames
        exampleShape = [channels, height, width]
        stored =
            isSmall
            ? StoredPictures(
                shape: exampleShape, bytes: readable.flatMap { $0.1 ?? [] },
                labels: classNames.map { _ in readable.map(\.0.label) },
                captions: readsCaptions ? readable.map(\.0.captions) : nil,
                levels: (0...255).map { Picture.level(UInt8($0)) })
            : nil
        self.reader = reader
        self.log = log
    }

    /// How many pictures can be read, as far as known when the folder was opened.
    public var count: Int { files.count }

    /// The texts of `metadata.jsonl`, where they are read.
    public var captions: [String] { files.flatMap(\.captions) }

    /// What was found so far; a picture that is read later may add to it.
    public var findings: DatasetFindings { log.findings }

    /// Pictures `[batch, channels, height, width]` and their classes `[batch]`.
    ///
    /// - Throws: ``DatasetError`` where more than 5 % of the pictures have turned out to be unreadable.
    public func batch(at indices: [Int]) throws -> Batch {
        if let stored { return stored.batch(at: indices) }
        let read = try concurrentMap(indices) { try readable(from: $0) }
        let bytes = read.flatMap(\.pixels)
        let picked = StoredPictures(
            shape: exampleShape, bytes: bytes, labels: classNames.map { _ in read.map(\.file.label) },
            captions: hasCaptions ? read.map(\.file.captions) : nil,
            levels: (0...255).map { Picture.level(UInt8($0)) })
        return picked.batch(at: Array(indices.indices))
    }

    /// The picture of a number, or the first readable one after it.
    private func readable(from index: Int) throws -> (pixels: [UInt8], file: PictureFile) {
        precondition(index >= 0 && index < count, "picture \(index) of \(count)")
        var candidate = index
        while true {
            do throws(PictureError) {
                return (try reader.pixels(of: files[candidate].url), files[candidate])
            } catch {
                // This throws long before all pictures have been tried.
                try log.add(error)
                candidate = (candidate + 1) % count
            }
        }
    }
}

/// Reads pictures in the form that a data set wants.
private struct PictureReader: Sendable {
    let width: Int
    let height: Int
    let channels: Int
    let background: Colour?
    let filter: ResizeFilter
    let log: FindingsLog

    /// The pixels of a file in the order `[channels, height, width]`.
    func pixels(of url: URL) throws(PictureError) -> [UInt8] {
        let stored = try Picture(contentsOf: url)
        if background == nil, stored.isTransparent { log.addTransparent(url.path) }
        let picture = stored.converted(toChannels: channels, alpha: background.map { .over($0) } ?? .drop)
            .filling(width: width, height: height, filter: filter)
        var planes: [UInt8] = []
        planes.reserveCapacity(picture.pixels.count)
        for channel in 0..<channels {
            for pixel in stride(from: channel, to: picture.pixels.count, by: channels) {
                planes.append(picture.pixels[pixel])
            }
        }
        return planes
    }

    /// Throws where a file's header shows that it cannot be read; gives no pixels.
    func checkHeader(of url: URL) throws(PictureError) -> [UInt8] {
        _ = try Picture.header(of: url)
        return []
    }
}

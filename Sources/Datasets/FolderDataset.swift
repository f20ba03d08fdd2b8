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

    /// `[channels, height, width]` as asked for; with buckets, pictures of other shapes have no larger area.
    public let exampleShape: Shape
    /// Names of the folders or labels; nil where there are no classes.
    public let classNames: [String]?
    /// The bucket of each picture; nil without buckets.
    public let shapeGroups: [Int]?
    private let files: [PictureFile]
    private let hasCaptions: Bool
    private let reader: PictureReader
    private let stored: [PlacedPicture]?
    private let log: FindingsLog

    /// Opens a folder of pictures (`.png .jpg .jpeg .webp`; other files and hidden ones are not looked at).
    ///
    /// Where all pictures fit into `memoryLimit` they are decoded now; else only their headers are read now,
    /// and a picture that turns out to be damaged is later replaced by the next readable one of its size.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - width: Width of the pictures that come out.
    ///   - height: Their height.
    ///   - channels: 1 or 3.
    ///   - background: What transparent parts are laid on; where nil, the colours that are stored under them count.
    ///   - part: Which pictures to use. A part may be empty where there are few.
    ///   - readsCaptions: Whether pictures have captions: from rows of `metadata.jsonl` or `metadata.csv`, and from `.txt`
    ///     and `.caption` files beside them.
    ///   - captionColumns: Where captions come from and how often each place is drawn; where empty, from the rows' `text`
    ///     and the files beside pictures, all drawn alike.
    ///   - filter: How pictures are resized.
    ///   - buckets: Sizes of which each picture gets the one nearest to its shape; where nil, all get one size.
    ///   - memoryLimit: The most bytes of pixels to keep in memory.
    /// - Throws: ``DatasetError`` where the folder is missing or empty, holds pictures both in itself and in
    ///   folders, where a row is not understood, no picture has a caption, or where more than 5 % of the pictures cannot be
    ///   read.
    public init(
        folder: URL, width: Int, height: Int, channels: Int = 3, background: Colour? = nil, part: Part = .all,
        readsCaptions: Bool = false, captionColumns: [CaptionColumn] = [], filter: ResizeFilter = .lanczos,
        buckets: AspectBuckets? = nil, memoryLimit: Int = 1 << 30
    ) throws {
        guard width > 0, height > 0, width <= 16384, height <= 16384, [1, 3].contains(channels) else {
            throw DatasetError(
                folder.path, "pictures of \(width)×\(height) with \(channels) channels cannot be made",
                remedy: "give sizes of 1 to 16384 and 1 or 3 channels")
        }
        let listing = try FolderListing(folder, captions: readsCaptions ? captionColumns : nil)
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
            width: width, height: height, channels: channels, background: background, filter: filter,
            buckets: buckets, log: log)
        let isSmall = wanted.count <= memoryLimit / (width * height * channels)
        let looked = try concurrentMap(wanted) { file -> (group: Int, picture: PlacedPicture?)? in
            do throws(PictureError) {
                guard isSmall else { return (try reader.group(of: file.url), nil) }
                let picture = try reader.picture(of: file.url)
                let framing = picture.framing
                return (
                    reader.group(width: framing.originalWidth, height: framing.originalHeight), picture
                )
            } catch {
                try log.add(error)
                return nil
            }
        }
        files = zip(wanted, looked).compactMap { $1 == nil ? nil : $0 }
        stored = isSmall ? looked.compactMap { $0?.picture } : nil
        shapeGroups = buckets == nil ? nil : looked.compactMap { $0?.group }
        hasCaptions = readsCaptions
        classNames = listing.classNames
        exampleShape = [channels, height, width]
        self.reader = reader
        self.log = log
    }

    /// How many pictures can be read, as far as known when the folder was opened.
    public var count: Int { files.count }

    /// Every caption, where they are read.
    public var captions: [String] { hasCaptions ? files.flatMap(\.captions.texts) : [] }

    /// What was found so far; a picture that is read later may add to it.
    public var findings: DatasetFindings { log.findings }

    /// Pictures `[batch, channels, height, width]`, their classes `[batch]`, captions, sizes and names.
    ///
    /// - Precondition: With buckets, all pictures are of one.
    /// - Throws: ``DatasetError`` where more than 5 % of the pictures have turned out to be unreadable.
    public func batch(at indices: [Int]) throws -> Batch {
        @Sendable func read(_ index: Int) throws -> (picture: PlacedPicture, place: Int) {
            precondition(index >= 0 && index < count, "picture \(index) of \(count)")
            return try stored.map { ($0[index], index) } ?? readable(from: index)
        }
        // A batch of training has one of several threads to itself; who takes a whole data set at once waits for it.
        let found = try indices.count > 1024 ? concurrentMap(indices, read) : indices.map(read)
        let (pictures, places) = (found.map(\.picture), found.map(\.place))
        let own = places.map { files[$0] }
        var batch = reader.batch(pictures, labels: classNames.map { _ in own.map(\.label) })
        if hasCaptions {
            batch.captions = own.map(\.captions.texts)
            let weights = own.compactMap(\.captions.weights)
            batch.captionWeights = weights.isEmpty ? nil : weights
        }
        batch.texts = texts(of: own)
        return batch
    }

    /// What pictures are called.
    private func texts(of files: [PictureFile]) -> [String: [String]] {
        var texts = ["relpath": files.map(\.path), "file_path_": files.map(\.url.path)]
        texts["human_label"] = classNames.map { names in files.map { names[$0.label] } }
        let folders = files.compactMap(\.classFolder)
        if !files.isEmpty, folders.count == files.count { texts["synsets"] = folders }
        return texts
    }

    /// The picture of a number, or the first readable one of its size after it, with its number.
    private func readable(from index: Int) throws -> (PlacedPicture, Int) {
        var candidate = index
        while true {
            do throws(PictureError) {
                return (try reader.picture(of: files[candidate].url), candidate)
            } catch {
                // This throws long before all pictures have been tried.
                try log.add(error)
                repeat {
                    candidate = (candidate + 1) % count
                } while shapeGroups.map { $0[candidate] != $0[index] } ?? false
                if candidate == index { throw DatasetError(noneOfTheSizeOf: files[index].url.path) }
            }
        }
    }
}

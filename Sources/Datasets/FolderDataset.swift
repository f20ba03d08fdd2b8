import Foundation
import Pictures
import Storage
import Tensors

/// Pictures in a folder: either all in one, without classes, or a folder for each class.
///
/// Classes are the folders in the order of their names, pictures are ordered by class and name (bytes of
/// UTF-8), so numbers mean the same on every machine. Each picture is resized to cover the wanted size and
/// its middle is cut out. A picture that cannot be read is left out and listed in ``skipped``; where more
/// than one in twenty cannot, the data set is an error.
public struct FolderDataset: Dataset {
    /// `[channels, height, width]` as asked for.
    public let pictureShape: Shape
    /// Names of the folders; nil where all pictures are in one.
    public let classNames: [String]?
    private let files: [PictureFile]
    private let reader: PictureReader
    private let stored: StoredPictures?
    private let damage: DamageLog

    /// Opens a folder of pictures (`.png .jpg .jpeg .webp`; other files and hidden ones are not looked at).
    ///
    /// Where all pictures fit into `memoryLimit` they are decoded now; else only their headers are read now,
    /// and a picture that turns out to be damaged is later replaced by the next readable one.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - width: Width of the pictures that come out.
    ///   - height: Their height.
    ///   - channels: 1 or 3. Alpha is laid on white.
    ///   - filter: How pictures are resized.
    ///   - memoryLimit: The most bytes of pixels to keep in memory.
    /// - Throws: ``DatasetError`` where the folder is missing or empty, holds pictures both in itself and in
    ///   folders, or where more than 5 % of the pictures cannot be read.
    public init(
        folder: URL, width: Int, height: Int, channels: Int = 3, filter: ResizeFilter = .lanczos,
        memoryLimit: Int = 1 << 30
    ) throws {
        guard width > 0, height > 0, width <= 16384, height <= 16384, [1, 3].contains(channels) else {
            throw DatasetError(
                folder.path, "pictures of \(width)×\(height) with \(channels) channels cannot be made",
                remedy: "give sizes of 1 to 16384 and 1 or 3 channels")
        }
        let listing = try FolderListing(folder)
        let reader = PictureReader(width: width, height: height, channels: channels, filter: filter)
        let damage = DamageLog(folder: folder.path, total: listing.files.count)
        let isSmall = listing.files.count <= memoryLimit / (width * height * channels)
        let pictures = try concurrentMap(listing.files) { file -> [UInt8]? in
            do throws(PictureError) {
                return isSmall ? try reader.pixels(of: file.url) : try reader.checkHeader(of: file.url)
            } catch {
                try damage.add(error)
                return nil
            }
        }
        let readable = zip(listing.files, pictures).filter { $0.1 != nil }
        files = readable.map(\.0)
        classNames = listing.classNames
        pictureShape = [channels, height, width]
        stored =
            isSmall
            ? StoredPictures(
                shape: pictureShape, bytes: readable.flatMap { $0.1 ?? [] },
                labels: classNames.map { _ in readable.map(\.0.label) },
                levels: (0...255).map { Picture.level(UInt8($0)) })
            : nil
        self.reader = reader
        self.damage = damage
    }

    /// How many pictures can be read, as far as known when the folder was opened.
    public var count: Int { files.count }

    /// What was wrong with each picture that had to be left out so far.
    public var skipped: [PictureError] { damage.errors }

    /// Pictures `[batch, channels, height, width]` and their classes `[batch]`.
    ///
    /// - Throws: ``DatasetError`` where more than 5 % of the pictures have turned out to be unreadable.
    public func batch(at indices: [Int]) throws -> Batch {
        if let stored { return stored.batch(at: indices) }
        let read = try concurrentMap(indices) { try readable(from: $0) }
        let bytes = read.flatMap(\.pixels)
        let picked = StoredPictures(
            shape: pictureShape, bytes: bytes, labels: classNames.map { _ in read.map(\.label) },
            levels: (0...255).map { Picture.level(UInt8($0)) })
        return picked.batch(at: Array(indices.indices))
    }

    /// The picture of a number, or the first readable one after it.
    private func readable(from index: Int) throws -> (pixels: [UInt8], label: Int) {
        precondition(index >= 0 && index < count, "picture \(index) of \(count)")
        var candidate = index
        while true {
            do throws(PictureError) {
                return (try reader.pixels(of: files[candidate].url), files[candidate].label)
            } catch {
                // This throws long before all pictures have been tried.
                try damage.add(error)
                candidate = (candidate + 1) % count
            }
        }
    }
}

/// A picture in a folder, and the number of its class.
private struct PictureFile: Sendable {
    let url: URL
    let label: Int
}

/// What a folder holds, in a fixed order.
private struct FolderListing {
    let files: [PictureFile]
    let classNames: [String]?

    init(_ folder: URL) throws {
        let (own, folders) = try FolderListing.contents(of: folder)
        let classes = try folders.map { ($0, try FolderListing.pictures(below: $0)) }.filter { !$0.1.isEmpty }
        guard !own.isEmpty || !classes.isEmpty else {
            throw DatasetError(
                folder.path, "there is no .png, .jpg or .webp picture in this folder",
                remedy: "give a folder of pictures, or one with a folder for each class")
        }
        guard own.isEmpty || classes.isEmpty else {
            throw DatasetError(
                folder.path, "there are pictures both in the folder and in folders below it",
                remedy: "keep them in one place, or in a folder for each class")
        }
        if classes.isEmpty {
            files = own.map { PictureFile(url: $0, label: 0) }
            classNames = nil
        } else {
            files = classes.enumerated().flatMap { label, entry in
                entry.1.map { PictureFile(url: $0, label: label) }
            }
            classNames = classes.map(\.0.lastPathComponent)
        }
    }

    /// All pictures in a folder and the folders in it.
    private static func pictures(below folder: URL) throws -> [URL] {
        let (own, folders) = try contents(of: folder)
        return own + (try folders.flatMap(pictures(below:)))
    }

    /// The pictures and folders in a folder, by name. Links to folders are not followed, so nothing is met
    /// twice and no circle can be entered.
    private static func contents(of folder: URL) throws -> (pictures: [URL], folders: [URL]) {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            throw DatasetError(
                folder.path, "the folder could not be read", remedy: "check the path and its permissions")
        }
        var (pictures, folders): ([URL], [URL]) = ([], [])
        let sorted = names.filter { !$0.hasPrefix(".") }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for name in sorted {
            let url = folder.appendingPathComponent(name)
            var status = stat()
            guard lstat(url.path, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                folders.append(url)
            } else if PictureFormat(fileExtension: url.pathExtension) != nil {
                pictures.append(url)
            }
        }
        return (pictures, folders)
    }
}

/// Reads pictures in the form that a data set wants.
private struct PictureReader: Sendable {
    let width: Int
    let height: Int
    let channels: Int
    let filter: ResizeFilter

    /// The pixels of a file in the order `[channels, height, width]`.
    func pixels(of url: URL) throws(PictureError) -> [UInt8] {
        let picture = try Picture(contentsOf: url)
            .converted(toChannels: channels).filling(width: width, height: height, filter: filter)
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

/// What went wrong with the pictures of a folder, from all threads that read them.
///
/// The lock guards the list, which makes the class safe to share.
private final class DamageLog: @unchecked Sendable {
    private let folder: String
    private let total: Int
    private let lock = NSLock()
    private var list: [String: PictureError] = [:]

    init(folder: String, total: Int) {
        self.folder = folder
        self.total = total
    }

    /// The errors, by file.
    var errors: [PictureError] {
        lock.withLock { list.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value) }
    }

    /// Notes a picture as unreadable.
    ///
    /// - Throws: ``DatasetError`` where it is one too many: more than one in twenty.
    func add(_ error: PictureError) throws {
        let count = lock.withLock {
            list[error.file ?? error.what] = error
            return list.count
        }
        guard count * 20 > total else { return }
        throw DatasetError(
            folder,
            "\(count) or more of \(total) pictures cannot be read (\(printable(error.file ?? "")): \(error.what))",
            remedy: "repair or remove them")
    }
}

/// Maps on all cores and keeps the order; the first error in that order is thrown.
private func concurrentMap<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], _ body: @Sendable (Input) throws -> Output
) throws -> [Output] {
    let results = Results<Output>(count: inputs.count)
    withoutActuallyEscaping(body) { body in
        DispatchQueue.concurrentPerform(iterations: inputs.count) { index in
            guard !results.hasFailed else { return }
            results.set(index, Result { try body(inputs[index]) })
        }
    }
    return try results.values()
}

/// The results of a concurrent map; the lock makes it safe to share.
private final class Results<Output>: @unchecked Sendable {
    private let lock = NSLock()
    private var list: [Result<Output, any Error>?]
    private var failed = false

    init(count: Int) { list = [Result<Output, any Error>?](repeating: nil, count: count) }

    var hasFailed: Bool { lock.withLock { failed } }

    func set(_ index: Int, _ result: Result<Output, any Error>) {
        lock.withLock {
            list[index] = result
            if case .failure = result { failed = true }
        }
    }

    /// All results, or the first error among those that were reached.
    func values() throws -> [Output] {
        let results = lock.withLock { list }
        for case .failure(let error)? in results { throw error }
        return try results.compactMap { try $0?.get() }
    }
}

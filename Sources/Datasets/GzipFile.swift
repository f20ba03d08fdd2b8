import Foundation
import Storage

/// A data file, gzip-compressed or not; its content says which, never its name. Opening reads its beginning only.
struct GzipFile {
    let path: String
    /// The size of the file as it is stored.
    let byteCount: Int
    /// The first bytes as they are stored.
    private let start: [UInt8]
    private var isCompressed: Bool { start.starts(with: [0x1F, 0x8B]) }

    /// Opens a file.
    ///
    /// - Throws: ``DatasetError`` where it is missing, no regular file, or empty.
    init(_ url: URL) throws {
        path = url.path
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw DatasetError(
                path, "the file could not be read (\(String(cString: strerror(errno))))",
                remedy: "check the path")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw DatasetError(path, "this is not a file", remedy: "give the path of a data file")
        }
        byteCount = Int(status.st_size)
        guard byteCount > 0 else { throw DatasetError(path, "the file is empty") }
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.read(upToCount: 1 << 16)
        else { throw DatasetError(path, "the file could not be read", remedy: "check its permissions") }
        start = Array(data)
    }

    /// The most bytes that the content of a data set can have. Pictures shrink to a tenth, and hardly to a
    /// hundredth; deflate could pack a thousand zeros into a byte.
    var mostBytes: Int {
        isCompressed ? byteCount.multipliedReportingOverflow(by: 100).partialValue + (1 << 20) : byteCount
    }

    /// The first `count` bytes of the content, or all where there are fewer.
    func prefix(_ count: Int) throws -> [UInt8] {
        guard isCompressed else { return Array(start.prefix(count)) }
        do {
            return try inflatedPrefix(start, .gzip, count: count)
        } catch {
            throw failure(error, limit: count)
        }
    }

    /// The whole content.
    ///
    /// - Throws: ``DatasetError`` where the file is damaged or holds more than `limit` bytes.
    func content(limit: Int) throws -> [UInt8] {
        // What cannot be packed grows a little, and a header comes with it.
        let mostStored = isCompressed ? limit + limit / 1000 + (1 << 16) : limit
        guard byteCount <= mostStored else { throw failure(.tooLarge, limit: limit) }
        let stored: [UInt8]
        do {
            stored = try Files.read(path, atMost: mostStored)
        } catch {
            throw DatasetError(path, "the file could not be read (\(error.reason))", remedy: "check it")
        }
        guard isCompressed else { return stored }
        do {
            return try inflated(stored, .gzip, limit: limit)
        } catch {
            throw failure(error, limit: limit)
        }
    }

    private func failure(_ error: InflateError, limit: Int) -> DatasetError {
        switch error {
        case .cutShort: DatasetError(path, "the gzip file is cut short")
        case .damaged: DatasetError(path, "the gzip file is damaged")
        case .tooLarge: DatasetError(path, "the file holds more than the \(limit) bytes that belong into it")
        }
    }
}

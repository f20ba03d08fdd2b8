import Foundation
import Storage

/// A data file, gzip-compressed or not; its content says which, never its name.
struct GzipFile {
    let path: String
    private let stored: [UInt8]
    private let isCompressed: Bool

    /// Reads the file as it is stored.
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
        guard let data = try? Data(contentsOf: url) else {
            throw DatasetError(path, "the file could not be read", remedy: "check its permissions")
        }
        guard !data.isEmpty else { throw DatasetError(path, "the file is empty") }
        stored = [UInt8](data)
        isCompressed = stored.starts(with: [0x1F, 0x8B])
    }

    /// Deflate cannot pack more than this into a byte, so a larger claim is false.
    var mostBytes: Int {
        isCompressed ? stored.count.multipliedReportingOverflow(by: 1032).partialValue : stored.count
    }

    /// The first `count` bytes of the content, or all where there are fewer.
    func prefix(_ count: Int) throws -> [UInt8] {
        guard isCompressed else { return Array(stored.prefix(count)) }
        do {
            return try inflatedPrefix(stored, .gzip, count: count)
        } catch {
            throw failure(error, limit: count)
        }
    }

    /// The whole content.
    ///
    /// - Throws: ``DatasetError`` where the file is damaged or holds more than `limit` bytes.
    func content(limit: Int) throws -> [UInt8] {
        guard isCompressed else {
            guard stored.count <= limit else { throw failure(.tooLarge, limit: limit) }
            return stored
        }
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

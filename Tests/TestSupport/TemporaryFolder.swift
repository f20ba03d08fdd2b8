#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// A new folder that is removed with everything in it when its last owner lets go.
public final class TemporaryFolder: Sendable {
    /// The path of the folder.
    public let path: String

    /// Makes a folder in the system's place for temporary files.
    public init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/langevin-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FolderError(errno: errno, path: parent) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // Depth first, without following links.
        nftw(path, { path, _, _, _ in path.map { remove($0) } ?? 0 }, 16, FTW_DEPTH | FTW_PHYS)
    }

    /// The path of something in the folder.
    public func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file in the folder and gives its path.
    @discardableResult
    public func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let path = self(name)
        guard let file = fopen(path, "wb") else { throw FolderError(errno: errno, path: path) }
        defer { fclose(file) }
        let bytes = Array(bytes)
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw FolderError(errno: errno, path: path)
        }
        return path
    }

    /// Writes a text file in the folder and gives its path.
    @discardableResult
    public func write(_ name: String, _ text: String) throws -> String { try write(name, text.utf8) }

    /// Makes a folder in the folder and gives its path.
    @discardableResult
    public func makeFolder(_ name: String) throws -> String {
        let path = self(name)
        guard mkdir(path, 0o755) == 0 else { throw FolderError(errno: errno, path: path) }
        return path
    }

    /// The names in the folder, sorted.
    public func names() throws -> [String] {
        guard let folder = opendir(path) else { throw FolderError(errno: errno, path: path) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// Why a test's folder could not be made or filled.
public struct FolderError: Error, CustomStringConvertible {
    let errno: Int32
    let path: String
    public var description: String { "\(path): \(String(cString: strerror(errno)))" }
}

/// The bytes of a file.
public func contents(of path: String) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else { throw FolderError(errno: errno, path: path) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
        bytes += buffer[..<count]
    }
    return bytes
}

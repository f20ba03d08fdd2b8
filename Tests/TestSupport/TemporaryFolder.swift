import Foundation

/// A new folder that is removed with everything in it when its last owner lets go.
public final class TemporaryFolder: Sendable {
    /// The path of the folder.
    public let path: String

    /// Makes a folder in the system's place for temporary files.
    public init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("langevin-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        path = folder.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of something in the folder.
    public func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// The bytes of a file in the folder; none where it cannot be read.
    public func bytes(_ name: String) -> [UInt8] { (try? contents(of: self(name))) ?? [] }

    /// Writes a file in the folder and gives its path.
    @discardableResult
    public func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let path = self(name)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Writes a text file in the folder and gives its path.
    @discardableResult
    public func write(_ name: String, _ text: String) throws -> String { try write(name, text.utf8) }

    /// Makes a folder in the folder and gives its path.
    @discardableResult
    public func makeFolder(_ name: String) throws -> String {
        let path = self(name)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        return path
    }

    /// The names in the folder, sorted.
    public func names() throws -> [String] { try folderNames(path) }
}

/// Calls `body` with the URL of a new folder that is removed when `body` is done.
public func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = try TemporaryFolder()
    return try withExtendedLifetime(folder) { try body(URL(fileURLWithPath: folder.path)) }
}

/// The names in a folder, sorted.
public func folderNames(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
}

/// The bytes of a file.
public func contents(of path: String) throws -> [UInt8] {
    try Array(Data(contentsOf: URL(fileURLWithPath: path)))
}

import Foundation

/// A tar archive, written byte by byte, so that every wrong one can be.
public struct TarArchive {
    /// What was added so far.
    public private(set) var bytes: [UInt8] = []

    /// An empty archive.
    public init() {}

    /// A header of the ustar form.
    /// - Parameter size: the field as it stands, eleven octal digits by default.
    public static func header(
        _ name: String, _ count: Int, type: UInt8 = UInt8(ascii: "0"), size: [UInt8]? = nil,
        prefix: String = "",
        magic: [UInt8] = Array("ustar\u{0}00".utf8), sum: Int? = nil
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ field: some Collection<UInt8>, _ place: Int) {
            for (offset, byte) in field.enumerated() { block[place + offset] = byte }
        }
        func octal(_ value: Int, _ digits: Int) -> [UInt8] {
            let text = String(value, radix: 8)
            return Array((String(repeating: "0", count: digits - text.count) + text).utf8)
        }
        put(name.utf8.prefix(100), 0)
        for (place, length) in [(100, 7), (108, 7), (116, 7), (136, 11)] { put(octal(0, length), place) }
        put(size ?? octal(count, 11), 124)
        block[156] = type
        put(magic, 257)
        put(prefix.utf8.prefix(155), 345)
        put([UInt8](repeating: 32, count: 8), 148)
        put(octal(sum ?? block.reduce(0) { $0 + Int($1) }, 6) + [0, 32], 148)
        return block
    }

    /// A content with what fills its last block.
    public static func padded(_ content: [UInt8]) -> [UInt8] {
        content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    /// The end mark.
    public static let end = [UInt8](repeating: 0, count: 1024)

    /// Adds a regular file.
    public mutating func add(_ name: String, _ content: some Sequence<UInt8>) {
        let content = Array(content)
        bytes += Self.header(name, content.count) + Self.padded(content)
    }

    /// Adds bytes as they are.
    public mutating func add(raw more: [UInt8]) { bytes += more }

    /// The archive with its end mark, padded to a record of 10 KiB as tar pads it.
    public var closed: [UInt8] {
        let whole = bytes + Self.end
        return whole + [UInt8](repeating: 0, count: (10_240 - whole.count % 10_240) % 10_240)
    }
}

/// Packs bytes with the system's gzip.
public func gzipped(_ bytes: [UInt8]) throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "langevin-gzip-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "a")
    try Data(bytes).write(to: file)
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "exec gzip '\(file.path)'"]
    try process.run()
    process.waitUntilExit()
    return [UInt8](try Data(contentsOf: folder.appending(path: "a.gz")))
}

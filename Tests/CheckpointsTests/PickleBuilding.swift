import Storage

/// A zip archive put together by hand, so that any part of it can be wrong.
struct RawArchive {
    struct Entry {
        var name: String
        var bytes: [UInt8]
        var method = 0
        var flags = 0
        /// What the directory says instead of the truth.
        var claimedByteCount: Int?
        var claimedOffset: Int?
        var nameInHeader: String?
        var checksum: UInt32 = 0
    }

    var entries: [Entry] = []
    var comment: [UInt8] = []
    var claimedEntryCount: Int?

    /// An archive as PyTorch writes it, around a pickle and its storages.
    init(pickle: [UInt8], storages: [String: [UInt8]] = [:]) {
        entries = [Entry(name: "archive/data.pkl", bytes: pickle)]
        entries += storages.keys.sorted().map { Entry(name: "archive/data/\($0)", bytes: storages[$0]!) }
    }

    var bytes: [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let offset = entry.claimedOffset ?? file.count
            let header = Array((entry.nameInHeader ?? entry.name).utf8)
            let common =
                little(entry.flags, 2) + little(entry.method, 2) + little(0, 4)
                + little(Int(entry.checksum), 4)
                + little(entry.bytes.count, 4) + little(entry.claimedByteCount ?? entry.bytes.count, 4)
            file +=
                [0x50, 0x4B, 3, 4] + little(20, 2) + common + little(header.count, 2) + little(0, 2) + header
            file += entry.bytes
            directory +=
                [0x50, 0x4B, 1, 2] + little(20, 2) + little(20, 2) + common + little(entry.name.utf8.count, 2)
            directory += little(0, 12) + little(offset, 4) + Array(entry.name.utf8)
        }
        let count = claimedEntryCount ?? entries.count
        let end =
            [0x50, 0x4B, 5, 6] + little(0, 4) + little(count, 2) + little(count, 2)
            + little(directory.count, 4) + little(file.count, 4) + little(comment.count, 2) + comment
        return file + directory + end
    }
}

/// A number in bytes, lowest first.
func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 }
}

/// Pieces of pickles of protocol 2.
enum Pickle {
    static func program(_ value: [UInt8]) -> [UInt8] { [0x80, 2] + value + [0x2E] }
    static func text(_ text: String) -> [UInt8] { [0x58] + little(text.utf8.count, 4) + Array(text.utf8) }
    static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + little(value, 8) }
    static func integers(_ values: [Int]) -> [UInt8] { [0x28] + values.flatMap(integer) + [0x74] }
    static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
    static func call(_ module: String, _ name: String, _ arguments: [UInt8]) -> [UInt8] {
        global(module, name) + [0x28] + arguments + [0x74, 0x52]
    }

    static func dictionary(_ members: [(String, [UInt8])]) -> [UInt8] {
        [0x7D, 0x28] + members.flatMap { text($0.0) + $0.1 } + [0x75]
    }

    static func storage(_ key: String, _ count: Int, _ type: String = "FloatStorage") -> [UInt8] {
        [0x28] + text("storage") + global("torch", type) + text(key) + text("cpu") + integer(count) + [
            0x74, 0x51,
        ]
    }

    static func tensor(
        _ shape: [Int], strides: [Int], offset: Int = 0, of count: Int, key: String = "0",
        type: String = "FloatStorage"
    ) -> [UInt8] {
        call(
            "torch._utils", "_rebuild_tensor_v2",
            storage(key, count, type) + integer(offset) + integers(shape) + integers(strides) + [0x89]
                + call("collections", "OrderedDict", []))
    }
}

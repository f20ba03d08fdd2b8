import Checkpoints
import Storage
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Agreement with the reference implementation on damaged files, tensor by tensor.
///
/// `Tools/oracle/safetensors_corpus.py` makes the corpus; a larger one is read from the file that
/// `LANGEVIN_CORPUS` names.
@Suite struct CorpusTests {
    /// Why Langevin refuses what the reference accepts, by verdict.
    static let stricter = [
        2: "a key stands twice",
        3: "an entry is a list",
        4: "a dtype is an object",
        5: "more than 64 dimensions",
        6: "a size of 2^63 or more",
    ]

    @Test func agreesWithTheReference() throws {
        let path =
            getenv("LANGEVIN_CORPUS").map { String(cString: $0) } ?? fixturePath("checkpoints/corpus.bin")
        var corpus = CorpusReader(bytes: try contents(of: path))
        var counts: [Int: Int] = [:]
        while let example = corpus.next() {
            counts[example.verdict, default: 0] += 1
            let listing = example.bytes.withUnsafeBytes { bytes in
                (try? SafetensorsHeader(file: bytes, place: "case")).map { Self.listing($0, bytes) }
            }
            let wanted = example.verdict == 1 ? example.listing : nil
            #expect(listing == wanted, "\(example.mutation), verdict \(example.verdict): \(example.bytes)")
        }
        print("corpus: \(counts.sorted { $0.key < $1.key })")
        #expect(counts[0, default: 0] > 200)
        #expect(counts[1, default: 0] > 100)
        for (verdict, reason) in Self.stricter {
            #expect(counts[verdict, default: 0] > 0, "no case where \(reason)")
        }
    }

    /// A line per tensor, as the corpus has it.
    static func listing(_ header: SafetensorsHeader, _ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let dataByteCount = header.entries.values.map(\.range.upperBound).max() ?? 0
        let data = UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - dataByteCount)...])
        var text = ""
        for (name, entry) in header.entries.sorted(by: { byteOrder($0.0, $1.0) }) {
            let shape = entry.dimensions.map(String.init).joined(separator: "x")
            let crc = String(checksum(data[entry.range]), radix: 16)
            let padding = String(repeating: "0", count: 8 - crc.count)
            text += "\(entry.type.rawValue) \(shape) \(padding)\(crc) \(name)\n"
        }
        return Array(text.utf8)
    }

    /// CRC-32 as in PNG and zip.
    static func checksum(_ bytes: Slice<UnsafeRawBufferPointer>) -> UInt32 {
        var crc = ~UInt32(0)
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}

/// The cases of a corpus file.
struct CorpusReader {
    struct Example {
        var mutation: String
        var verdict: Int
        var listing: [UInt8]
        var bytes: [UInt8]
    }

    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> Example? {
        guard position < bytes.count else { return nil }
        let mutation = String(decoding: piece(), as: UTF8.self)
        position += 1
        let verdict = Int(bytes[position - 1])
        let listing = piece()
        return Example(mutation: mutation, verdict: verdict, listing: listing, bytes: piece())
    }

    private mutating func piece() -> [UInt8] {
        let count = (0..<4).reduce(0) { $0 | Int(bytes[position + $1]) << (8 * $1) }
        defer { position += 4 + count }
        return Array(bytes[(position + 4)..<(position + 4 + count)])
    }
}

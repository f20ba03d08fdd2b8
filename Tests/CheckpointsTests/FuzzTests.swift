import Checkpoints
import Storage
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Random damage to valid files: whatever comes, the parser answers with a header that describes the
/// file exactly or with an error, and never traps. `LANGEVIN_FUZZ_CASES` asks for more cases.
@Suite struct FuzzTests {
    static let fragments = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "\\udc00", "null", "true", "-", "0",
        "1e9",
        "18446744073709551615", "9223372036854775808", "\"dtype\"", "\"F32\"", "\"shape\"",
        "\"data_offsets\"",
        "\"__metadata__\"", "[[[[[[[[", "{\"a\":", " ", "\n", "\0", "\u{E9}", "e\u{301}", "😀", "\u{FEFF}",
    ].map { Array($0.utf8) }

    /// Valid files, and how many of their bytes are data.
    static let seeds: [([UInt8], Int)] = [
        (RawFile("{}").bytes, 0),
        (RawFile(#"{"a":\#(scalar)}  "#, data: 4).bytes, 4),
        (
            RawFile(
                #"{"__metadata__":{"format":"pt"},"w":\#(entry("[2,3]", "[0,24]")),"é":\#(entry("[0]", "[24,24]", #""BF16""#))}"#,
                data: 24
            ).bytes, 24
        ),
        (
            RawFile(#"{"x":{"dtype":"I64","k":[1.5,{"y":null}],"shape":[1],"data_offsets":[0,8]}}"#, data: 8)
                .bytes, 8
        ),
    ]

    static func damage(_ bytes: inout [UInt8], dataByteCount: Int, _ random: inout SplitMix) {
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let at = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 0...6, using: &random)))
            case 3: bytes.insert(contentsOf: fragments.randomElement(using: &random)!, at: at)
            case 4:
                let begin = Int.random(in: 0...at, using: &random)
                bytes.insert(contentsOf: Array(bytes[begin..<at]), at: at)
            default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
            }
        }
        // Mostly the header's length is made right again, so that its text is reached.
        if Int.random(in: 0..<8, using: &random) > 0, bytes.count >= 8 + dataByteCount {
            let length = bytes.count - 8 - dataByteCount
            for i in 0..<8 { bytes[i] = UInt8(truncatingIfNeeded: length >> (8 * i)) }
        }
    }

    @Test func neverTraps() throws {
        let cases = getenv("LANGEVIN_FUZZ_CASES").flatMap { Int(String(cString: $0)) } ?? 20_000
        let seed = getenv("LANGEVIN_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
        var random = SplitMix(seed: seed)
        var pool = Self.seeds
        var accepted = 0
        for _ in 0..<cases {
            var (bytes, dataByteCount) = pool[Int.random(in: 0..<pool.count, using: &random)]
            Self.damage(&bytes, dataByteCount: dataByteCount, &random)
            let header = bytes.withUnsafeBytes { try? SafetensorsHeader(file: $0, place: "case") }
            guard let header else { continue }
            accepted += 1
            let needed = header.entries.values.reduce(0) { $0 + $1.range.count }
            #expect(needed <= bytes.count - 10)
            // What is kept is in proportion to the text: the shortest entry has 50 bytes.
            #expect(header.entries.count * 50 <= bytes.count)
            // Damage adds up: what is still accepted and has tensors is damaged again.
            if bytes.count < 2_000, !header.entries.isEmpty {
                let slot = Int.random(in: Self.seeds.count..<64, using: &random)
                if slot < pool.count { pool[slot] = (bytes, needed) } else { pool.append((bytes, needed)) }
            }
        }
        print("fuzz: \(cases) cases from seed \(seed), \(accepted) accepted")
        #expect(accepted > cases / 200)
    }

    @Test func configurationsNeverTrap() throws {
        var random = SplitMix(seed: 2)
        let text = Array(#"{"a":[1,-2.5e-3,"\u00e9",null,true,{"b":{}}],"c":-Infinity,"d":NaN}"#.utf8)
        var accepted = 0
        for _ in 0..<5_000 {
            // Damage comes with a length in front, which is taken off again.
            var bytes = [UInt8](repeating: 0, count: 8) + text
            Self.damage(&bytes, dataByteCount: 0, &random)
            guard let value = try? JSONValue(parsing: bytes.dropFirst(8), place: "", allowsNonFinite: true)
            else {
                continue
            }
            accepted += 1
            // What was read can be written and read again.
            let again = try JSONValue(parsing: value.text.utf8, place: "", allowsNonFinite: true)
            #expect(again.text == value.text)
        }
        #expect(accepted > 100)
    }
}

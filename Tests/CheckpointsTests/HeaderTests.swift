import Testing

@testable import Checkpoints

/// The cases of the reliability plan, section 2A, by their numbers there.
@Suite struct HeaderTests {
    func parse(_ bytes: [UInt8]) throws -> SafetensorsHeader {
        try bytes.withUnsafeBytes { try SafetensorsHeader(file: $0, place: "case") }
    }

    /// What a refused case says; nil when it was accepted or failed otherwise.
    func refusal(_ bytes: [UInt8]) -> String? {
        do {
            _ = try parse(bytes)
            return nil
        } catch let error as CheckpointError {
            return error.description
        } catch {
            return nil
        }
    }

    /// The case's number, the file, and words that the message must contain.
    static let refused: [(String, [UInt8], String)] = [
        ("A1 empty file", [], "it has 0 bytes"),
        ("A2 seven bytes", [2, 0, 0, 0, 0, 0, 0], "it has 7 bytes"),
        ("A3 header of length 0", RawFile("").bytes, "an object in braces"),
        ("A4 header longer than the file", RawFile(header: [0x7B, 0x7D], claimed: 3).bytes, "cut short"),
        ("A5 length 2^63", RawFile(header: [0x7B, 0x7D], claimed: 1 << 63).bytes, "9223372036854775808"),
        ("A5 length 2^64-1", RawFile(header: [0x7B, 0x7D], claimed: .max).bytes, "18446744073709551615"),
        ("A6 length 100,000,001", RawFile(header: [0x7B, 0x7D], claimed: 100_000_001).bytes, "allowed"),
        ("A7 length + 8 wraps", RawFile(header: [0x7B, 0x7D], claimed: .max - 7).bytes, "allowed"),
        ("A8 not UTF-8", RawFile(header: [0x7B, 0x22, 0xFF] + Array("\":\(scalar)}".utf8), data: 4).bytes, "UTF-8"),
        ("A8 overlong", RawFile(header: [0x7B, 0x22, 0xC0, 0x80] + Array("\":\(scalar)}".utf8), data: 4).bytes, "UTF-8"),
        ("A8 surrogate", RawFile(header: [0x7B, 0x22, 0xED, 0xA0, 0x80] + Array("\":\(scalar)}".utf8), data: 4).bytes, "UTF-8"),
        ("A9 brace alone", RawFile("{").bytes, "a key in double quotes"),
        ("A10 list", RawFile("[]").bytes, "an object in braces"),
        ("A10 null", RawFile("null").bytes, "an object in braces"),
        ("A10 string", RawFile(#""x""#).bytes, "an object in braces"),
        ("A11 nested 10^5", RawFile(#"{"a":{"x":"# + String(repeating: "[", count: 100_000)).bytes, "deeper than 127"),
        ("A13 repeated name", RawFile(#"{"a":\#(scalar),"a":\#(scalar)}"#, data: 4).bytes, "twice"),
        ("A14 repeated member", RawFile(#"{"a":{"dtype":"F32","shape":[],"shape":[],"data_offsets":[0,4]}}"#, data: 4).bytes, "\"shape\" twice"),
        ("A14 repeated unknown member", RawFile(#"{"a":{"dtype":"F32","x":1,"x":1,"shape":[],"data_offsets":[0,4]}}"#, data: 4).bytes, "\"x\" twice"),
        ("A14 repeated metadata", RawFile(#"{"__metadata__":{},"__metadata__":{}}"#).bytes, "twice"),
        ("A14 repeated metadata key", RawFile(#"{"__metadata__":{"a":"b","a":"b"}}"#).bytes, "twice"),
        ("A15 repeated by escape", RawFile(#"{"a":\#(scalar),"\u0061":\#(scalar)}"#, data: 4).bytes, "twice"),
        ("A17 ten on one range", RawFile("{" + (0..<10).map { #""t\#($0)":\#(scalar)"# }.joined(separator: ",") + "}", data: 4).bytes, "overlap"),
        ("A17 half overlap", RawFile(#"{"a":\#(entry("[2]", "[0,8]")),"b":\#(entry("[2]", "[4,12]"))}"#, data: 12).bytes, "overlap"),
        ("A18 hole", RawFile(#"{"a":\#(scalar),"b":\#(entry("[]", "[8,12]"))}"#, data: 12).bytes, "gaps"),
        ("A18 hole in front", RawFile(#"{"b":\#(entry("[]", "[4,8]"))}"#, data: 8).bytes, "gaps"),
        ("A19 bytes after the end", RawFile(#"{"a":\#(scalar)}"#, data: 5).bytes, "5 follow the header"),
        ("A19 bytes without tensors", RawFile("{}", data: 1).bytes, "1 follow the header"),
        ("A20 two bytes short", RawFile(#"{"a":\#(scalar)}"#, data: 2).bytes, "cut short"),
        ("A21 end before begin", RawFile(#"{"a":\#(entry("[]", "[4,0]"))}"#, data: 4).bytes, "ends before it begins"),
        ("A22 begin beyond the end", RawFile(#"{"a":\#(entry("[]", "[400,404]"))}"#, data: 4).bytes, "begins at byte 400"),
        ("A22 beyond any file", RawFile(#"{"a":\#(entry("[0]", "[9223372036854775808,9223372036854775808]"))}"#).bytes, "beyond the end"),
        ("A23 negative", RawFile(#"{"a":\#(entry("[]", "[-4,0]"))}"#, data: 4).bytes, "whole number"),
        ("A24 point", RawFile(#"{"a":\#(entry("[]", "[0.0,4]"))}"#, data: 4).bytes, "whole number"),
        ("A24 exponent", RawFile(#"{"a":\#(entry("[]", "[0,4e0]"))}"#, data: 4).bytes, "whole number"),
        ("A24 string", RawFile(#"{"a":\#(entry("[]", #"[0,"4"]"#))}"#, data: 4).bytes, "whole number"),
        ("A24 shape with a point", RawFile(#"{"a":\#(entry("[1.0]", "[0,4]"))}"#, data: 4).bytes, "whole number"),
        ("A25 2^64", RawFile(#"{"a":\#(entry("[]", "[0,18446744073709551616]"))}"#, data: 4).bytes, "2⁶⁴"),
        ("A26 leading zero", RawFile(#"{"a":\#(entry("[]", "[0,04]"))}"#, data: 4).bytes, "needless 0"),
        ("A26 plus", RawFile(#"{"a":\#(entry("[]", "[0,+4]"))}"#, data: 4).bytes, "whole number"),
        ("A26 hexadecimal", RawFile(#"{"a":\#(entry("[]", "[0,0x4]"))}"#, data: 4).bytes, "a comma or a closing bracket"),
        ("A27 overflow", RawFile(#"{"a":\#(entry("[2,18446744073709551614]", "[0,4]"))}"#, data: 4).bytes, "overflows"),
        ("A27 overflow with the type", RawFile(#"{"a":\#(entry("[2,9223372036854775807]", "[0,4]"))}"#, data: 4).bytes, "overflows"),
        ("A28 too small", RawFile(#"{"a":\#(entry("[2]", "[0,4]"))}"#, data: 4).bytes, "needs 8 bytes"),
        ("A28 too large", RawFile(#"{"a":\#(entry("[0]", "[0,4]"))}"#, data: 4).bytes, "needs 0 bytes"),
        ("A29 half a byte", RawFile(#"{"a":\#(entry("[3]", "[0,2]", #""F4""#))}"#, data: 2).bytes, "whole bytes"),
        ("A30 unknown dtype", RawFile(#"{"a":\#(entry("[]", "[0,4]", #""F33""#))}"#, data: 4).bytes, "unknown dtype \"F33\""),
        ("A30 lower case", RawFile(#"{"a":\#(entry("[]", "[0,4]", #""f32""#))}"#, data: 4).bytes, "unknown dtype \"f32\""),
        ("A31 number", RawFile(#"{"__metadata__":{"a":1}}"#).bytes, "a string in double quotes"),
        ("A31 list", RawFile(#"{"__metadata__":[]}"#).bytes, "an object in braces"),
        ("A31 nested", RawFile(#"{"__metadata__":{"a":{"b":"c"}}}"#).bytes, "a string in double quotes"),
        ("A32 50 MB", RawFile(#"{"__metadata__":{"a":""# + String(repeating: "x", count: 50_000_000) + #""}}"#).bytes, "metadata exceeds"),
        ("A33 byte-order mark", RawFile(header: [0xEF, 0xBB, 0xBF, 0x7B, 0x7D]).bytes, "an object in braces"),
        ("A34 UTF-16", RawFile(header: [0x7B, 0, 0x7D, 0]).bytes, "a key in double quotes"),
        ("A35 trailing comma", RawFile(#"{"a":\#(scalar),}"#, data: 4).bytes, "a key in double quotes"),
        ("A35 trailing comma in a list", RawFile(#"{"a":\#(entry("[1,]", "[0,4]"))}"#, data: 4).bytes, "whole number"),
        ("A36 NUL padding", RawFile("{}\0\0").bytes, "nothing may follow"),
    ]

    @Test(arguments: refused)
    func refuses(_ name: String, _ bytes: [UInt8], _ words: String) throws {
        let message = try #require(refusal(bytes), "\(name) was accepted")
        #expect(message.hasPrefix("case: "), "\(name)")
        #expect(message.contains(words), "\(name)")
        #expect(message.utf8.count < 600, "\(name)")
    }

    @Test func everyRefusalLeavesItsValidNeighbourAccepted() throws {
        // The case files differ from this one by their fault alone.
        let header = try parse(RawFile(#"{"a":\#(scalar)}"#, data: 4).bytes)
        #expect(header.entries["a"] == .init(type: .float32, dimensions: [], range: 0..<4))
        #expect(try parse(RawFile("{}").bytes).entries.isEmpty)
    }

    @Test func keepsNamesThatDifferInNormalisationApart() throws {  // A16
        let text = #"{"\#u{E9}":\#(scalar),"e\#u{301}":\#(entry("[]", "[4,8]"))}"#
        let header = try parse(RawFile(text, data: 8).bytes)
        #expect(header.entries.count == 2)
        #expect(header.entries["\u{E9}"]?.range == 0..<4)
        #expect(header.entries["e\u{301}"]?.range == 4..<8)
    }

    @Test func acceptsWhiteSpaceAroundTheHeader() throws {  // A37, A38
        #expect(try parse(RawFile(" \n\t\r{}").bytes).entries.isEmpty)
        #expect(try parse(RawFile("{} \n\t\r").bytes).entries.isEmpty)
    }

    @Test func acceptsScalarsAndEmptyTensors() throws {  // A39, A40
        let text = #"{"e":\#(entry("[3,0]", "[4,4]")),"s":\#(scalar),"f":\#(entry("[0]", "[0,0]"))}"#
        let header = try parse(RawFile(text, data: 4).bytes)
        #expect(header.entries.names == ["e", "s", "f"])
        #expect(header.entries["s"]?.dimensions == [])
        #expect(header.entries["e"] == .init(type: .float32, dimensions: [3, 0], range: 4..<4))
    }

    @Test func takesStrangeNamesAsKeysOnly() throws {  // A43
        let long = String(repeating: "n", count: 1_000_000)
        for name in ["../../x", "/etc/passwd", "", long, "__metadata", "C:\\x"] {
            let text = "{\(jsonString(name)):\(scalar)}"
            #expect(try parse(RawFile(text, data: 4).bytes).entries.names == [name])
        }
        let text = #"{"nul\u0000":\#(scalar)}"#
        #expect(try parse(RawFile(text, data: 4).bytes).entries["nul\0"] != nil)
        // A message shows such a name cut and without control characters.
        let message = try #require(refusal(RawFile("{\"\(long)\":\(scalar)}").bytes))
        #expect(message.utf8.count < 600)
    }

    @Test func readsAMillionEmptyTensorsQuickly() throws {  // A12
        var text = "{"
        for i in 0..<1_000_000 { text += #""t\#(i)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"# }
        text.removeLast()
        let bytes = RawFile(text + "}").bytes
        let clock = ContinuousClock()
        var header: SafetensorsHeader?
        let time = try clock.measure { header = try parse(bytes) }
        #expect(header?.entries.count == 1_000_000)
        #expect(header?.entries["t999999"] != nil)
        #if !DEBUG
            #expect(time < .seconds(1), "it took \(time)")
        #endif
    }

    @Test func readsMetadata() throws {
        let header = try parse(RawFile(#"{"__metadata__":{"format":"pt","\u00e9":"\ud83d\ude00\n"}}"#).bytes)
        #expect(header.metadata["format"] == "pt")
        #expect(header.metadata["\u{E9}"] == "😀\n")
        #expect(try parse(RawFile(#"{"__metadata__":null}"#).bytes).metadata.isEmpty)
    }

    @Test func passesOverUnknownMembersWithinBounds() throws {
        let known = #"{"a":{"dtype":"F32","note":{"k":[1,-2.5e3,null]},"shape":[],"data_offsets":[0,4]}}"#
        #expect(try parse(RawFile(known, data: 4).bytes).entries.count == 1)
        let long = String(repeating: "x", count: 70_000)
        let text = #"{"a":{"dtype":"F32","note":"\#(long)","shape":[],"data_offsets":[0,4]}}"#
        #expect(refusal(RawFile(text, data: 4).bytes)?.contains("too long") == true)
    }

    @Test func placesAnErrorByLineAndColumn() throws {
        let message = refusal(RawFile("{\n \"a\": 7}").bytes)
        #expect(message == "case: an object in braces was expected (line 2, column 7)")
    }
}

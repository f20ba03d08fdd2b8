import Storage
import TestSupport
import Testing

@Suite struct JSONTests {
    func parse(_ text: String, allowsNonFinite: Bool = false) throws -> JSONValue {
        try JSONValue(parsing: text.utf8, place: "file.json", allowsNonFinite: allowsNonFinite)
    }

    @Test func readsEveryKindOfValue() throws {
        let value = try parse(
            #" {"a": [1, -2, 0.5, 1e3, null, true, false], "b": {"c": "d"}, "e": "\u00e9\n\/"} "#)
        #expect(value == ["a": [1, -2, 0.5, 1000.0, nil, true, false], "b": ["c": "d"], "e": "é\n/"])
    }

    @Test func tellsIntegersFromOtherNumbers() throws {
        #expect(
            try parse("[1, 1.0, -0, 9223372036854775807, 9223372036854775808]")
                == [1, 1.0, 0, .integer(.max), .number(9223372036854775808)])
        #expect(try parse("1") != parse("1.0"))
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "[,1]", #"{"a":1,}"#, #"{"a" 1}"#, "{a:1}", "{'a':1}", "01", "1.", ".5",
        "+1", "-",
        "1e", "1e+", "0x1", "1 2", "nul", "nulll", "True", "NaN", "Infinity", "-Infinity", "1e400", "-1e400",
        #""a"#,
        "\"\u{1}\"", "\"\n\"", #""\x""#, #""\u12""#, #""\u12g4""#, #""\ud800""#, #""\ud800x""#,
        #""\ud800\u0041""#,
        #""\udc00""#, #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, "\u{FEFF}{}", "[1\u{A0}]", "// c\n1",
        "[1]\0",
    ])
    func refuses(_ text: String) {
        #expect(throws: ContentError.self) { try parse(text) }
    }

    @Test func allowsNonFiniteNumbersOnlyWhereAsked() throws {
        #expect(
            try parse("[Infinity, -Infinity]", allowsNonFinite: true) == [
                .number(.infinity), .number(-.infinity),
            ])
        guard case .number(let value) = try parse("NaN", allowsNonFinite: true) else {
            Issue.record("NaN is no number")
            return
        }
        #expect(value.isNaN)
        for text in ["-NaN", "nan", "inf", "Infinit", "+Infinity", "1e400"] {
            #expect(throws: ContentError.self) { try parse(text, allowsNonFinite: true) }
        }
    }

    @Test func limitsNesting() throws {
        let nested = { (depth: Int) in
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try parse(nested(127)) }
        #expect(throws: ContentError.self) { try parse(nested(128)) }
        #expect(throws: ContentError.self) { try parse(nested(100_000)) }
    }

    @Test func limitsFiles() throws {
        let folder = try TemporaryFolder()
        let large = try folder.write(
            "large.json", [UInt8](repeating: 0x20, count: JSONValue.maximalFileByteCount + 1))
        #expect { try JSONValue(file: large) } throws: { "\($0)".contains("a JSON file may have") }
        let path = try folder.write("a.json", "{\"a\":\n tru}")
        #expect { try JSONValue(file: path) } throws: {
            "\($0)" == "\(path): a value was expected (line 2, column 2)"
        }
    }

    @Test func givesTypedValues() throws {
        guard
            case .object(let object) = try parse(
                #"{"i": 3, "x": 0.5, "s": "t", "b": true, "n": null, "l": [1, 2], "m": [1, 2.5], "w": ["a"], "o": {"k": [1]}}"#
            )
        else {
            Issue.record("no object")
            return
        }
        #expect(try object.required("i") == 3)
        #expect(try object.required("i") == 3.0)
        #expect(try object.required("x") == 0.5)
        #expect(try object.required("s") == "t")
        #expect(try object.required("b") == true)
        #expect(try object.required("l") == [1, 2])
        #expect(try object.required("m") == [1, 2.5])
        #expect(try object.required("w") == ["a"])
        #expect(try object.required("o", as: JSONObject.self).required("k") == [1])
        #expect(try object.optional("n", as: Int.self) == nil)
        #expect(try object.optional("absent", as: Int.self) == nil)
        #expect(try object.optional("i") == 3)
        let faults: [(() throws -> Void, String)] = [
            (
                { let _: Int = try object.required("absent") },
                "the key \"absent\" is missing; add it as an integer"
            ),
            ({ let _: Int = try object.required("x") }, "the key \"x\" must be an integer, it is 0.5"),
            ({ let _: Int = try object.required("n") }, "the key \"n\" must be an integer, it is null"),
            (
                { let _: Int? = try object.optional("s") },
                "the key \"s\" must be an integer, it is the string \"t\""
            ),
            (
                { let _: [Int] = try object.required("m") },
                "the key \"m\" must be a list, each element an integer, it is a list"
            ),
            ({ let _: Bool = try object.required("i") }, "the key \"i\" must be true or false, it is 3"),
        ]
        for (read, message) in faults {
            #expect { try read() } throws: { "\($0)" == "file.json: " + message }
        }
    }

    /// Python's `json.dumps(value, indent=2, sort_keys=True)` and a newline, as diffusers writes.
    @Test func writesWhatPythonWrites() throws {
        let text = try contents(of: fixturePath("checkpoints/config.json"))
        let value = try JSONValue(parsing: text, place: "config.json", allowsNonFinite: true)
        #expect(Array(value.text.utf8) == text)
        // The order in memory does not matter.
        guard case .object(let object) = value else {
            Issue.record("no object")
            return
        }
        let reversed = JSONValue.object(JSONObject(object.members.reversed().map { ($0.0, $0.1) }))
        #expect(Array(reversed.text.utf8) == text)
    }

    /// What `Decodable` types are given is what the file says.
    @Test func decodesStrictly() throws {
        struct Part: Decodable, Equatable {
            var counts: [Int8]
            var word: String?
        }
        struct Whole: Decodable, Equatable {
            var number: Double
            var pair: [Float]
            var flag: Bool
            var part: Part
            var table: [String: Int]
        }
        func whole(_ text: String) throws -> Whole {
            let value = try parse(text, allowsNonFinite: true)
            return try #require(JSONObject(json: value)).decoded()
        }
        let text =
            #"{"number": -Infinity, "pair": [1, 0.5], "flag": true, "part": {"counts": [7], "word": null}, "table": {"a": 3}}"#
        #expect(
            try whole(text)
                == Whole(
                    number: -.infinity, pair: [1, 0.5], flag: true, part: Part(counts: [7]), table: ["a": 3]))
        for (old, new, words) in [
            (
                "[7]", "[7.0]",
                #""part.counts.0" has the wrong type: a whole number from -128 to 127 is needed"#
            ),  // B10
            ("[7]", "[128]", #""part.counts.0" has the wrong type: a whole number"#),
            ("[7]", "7", #""part.counts" has the wrong type: a list is needed"#),
            ("true", "1", #""flag" has the wrong type"#),
            ("true", "null", #""flag" is null: true or false is needed"#),
            ("{\"a\": 3}", "[]", #""table" has the wrong type"#),
            ("-Infinity", "\"NaN\"", #""number" has the wrong type: a number"#),
            ("\"flag\"", "\"flags\"", #"the key "flag" is missing"#),
        ] {
            let error = #expect(throws: ContentError.self) {
                try whole(text.replacing(old, with: new))
            }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }

    @Test func keepsKeysThatDifferInNormalisationApart() throws {
        guard case .object(let object) = try parse("{\"\u{E9}\":1,\"e\u{301}\":2}") else {
            Issue.record("no object")
            return
        }
        #expect(object["\u{E9}"] == 1)
        #expect(object["e\u{301}"] == 2)
    }
}

import TestSupport
import Testing
import Tokenizers

/// Prompts that change over the steps, beside cases of AUTOMATIC1111's documentation of the syntax.
@Suite struct PromptScheduleTests {
    /// The texts of a prompt, each with the last of 10 steps that has it.
    private func changes(_ prompt: String, steps: Int = 10) throws -> [String] {
        let texts = try PromptSchedule(prompt).texts(steps: steps)
        return texts.indices.filter { $0 + 1 == texts.count || texts[$0] != texts[$0 + 1] }.map {
            "\($0 + 1): \(texts[$0])"
        }
    }

    @Test(arguments: [
        ("test", ["10: test"]),
        // [to:when] adds, [from::when] takes away, [from:to:when] changes.
        ("a [b:3]", ["3: a ", "10: a b"]),
        ("a [b: 3]", ["3: a ", "10: a b"]),
        ("a [b::3]", ["3: a b", "10: a "]),
        ("a [fantasy:cyberpunk:6] landscape", ["6: a fantasy landscape", "10: a cyberpunk landscape"]),
        // A share of all steps.
        ("a [b:.5] c", ["5: a  c", "10: a b c"]),
        ("[a:b:0.25]", ["2: a", "10: b"]),
        ("[a:b:1.0]", ["10: a"]), ("[a:b:0]", ["10: b"]),
        // They nest, in each other and in weights.
        ("a[b:[c:d:2]:1]e", ["1: abe", "2: ace", "10: ade"]),
        ("a [[[b]]:2]", ["2: a ", "10: a [[b]]"]),
        ("[(a:2):3]", ["3: ", "10: (a:2)"]),
        ("(a [b:c:2]:1.3)", ["2: (a b:1.3)", "10: (a c:1.3)"]),
        ("a [b : c : 1] d", ["1: a b  d", "10: a  c  d"]),
        // What is none of these is text, or a weight.
        ("a [unbalanced", ["10: a [unbalanced"]), ("[a]", ["10: [a]"]), ("[a:b]", ["10: [a:b]"]),
        ("((a][:b:c [d:3]", ["3: ((a][:b:c ", "10: ((a][:b:c d"]),
        ("a) [b:c:d:3]", ["10: a) [b:c:d:3]"]), ("", ["10: "]),
        // Escaped characters have no meaning.
        ("\\[b:3\\]", ["10: \\[b:3\\]"]), ("[a\\:b:c:2]", ["2: a\\:b", "10: c"]),
    ])
    func changesComeAtTheirSteps(_ prompt: String, _ expected: [String]) throws {
        #expect(try changes(prompt) == expected)
    }

    @Test func turnsAreTaken() throws {
        func texts(_ prompt: String) throws -> [String] { try PromptSchedule(prompt).texts(steps: 5) }
        #expect(try texts("[cow|horse]") == ["cow", "horse", "cow", "horse", "cow"])
        #expect(try texts("[fe|]male") == ["female", "male", "female", "male", "female"])
        #expect(try texts("[a|(b:1.1)|c]") == ["a", "(b:1.1)", "c", "a", "(b:1.1)"])
        #expect(try texts("[a|[b:c:3]]") == ["a", "b", "a", "c", "a"])
        #expect(try texts("[|||x]") == ["", "", "", "x", ""])
    }

    @Test(arguments: [
        ("[a:b:11]", "changes after step 11, and there are 10"), ("[a:b:-1]", "\"-1\""),
        ("[a:2.5]", "\"2.5\""), ("[a:-0.5]", "neither a share of the steps"),
    ])
    func stepsThatAreNoneAreRefused(_ prompt: String, _ words: String) throws {
        let error = #expect(throws: TokenizerError.self) { try PromptSchedule(prompt).texts(steps: 10) }
        #expect(try #require(error).description.contains(words))
    }

    /// Neither depth nor length takes more than linear time.
    @Test func hostilePromptsAreRead() throws {
        for piece in ["[", "(", "[a|", "[a:", "]", "[]", "\\", ":3]", "([a:b:3"] {
            let texts = try PromptSchedule(String(repeating: piece, count: 50_000)).texts(steps: 3)
            #expect(texts.count == 3)
        }
        let nested = String(repeating: "[", count: 500) + "a:b:2" + String(repeating: "]", count: 500)
        #expect(try PromptSchedule(nested).texts(steps: 3).count == 3)
    }

    /// The word BREAK divides, within weights too; it is a word by itself and in capitals.
    @Test func chunksAreDivided() {
        func chunks(_ prompt: String) -> [[String]] {
            WeightedText.chunks(of: prompt).map {
                $0.map { $0.weight == 1 ? $0.text : "\($0.text):\($0.weight)" }
            }
        }
        #expect(chunks("a cat BREAK on a mat") == [["a cat"], ["on a mat"]])
        #expect(chunks("a (cat BREAK dog:1.5) b") == [["a ", "cat:1.5"], ["dog:1.5", " b"]])
        #expect(chunks("BREAK a,BREAK") == [[], ["a,"], []])
        #expect(chunks("a BREAKER break xBREAK BREAK_") == [["a BREAKER break xBREAK BREAK_"]])
        #expect(chunks("") == [[]])
    }

    @Test func tagsAreTakenOut() throws {
        let (text, tags) = try PromptTag.split("a <lora:detail:0.8> <cat> on<lora:b> a mat <3")
        #expect(text == "a  <cat> on a mat <3")
        #expect(tags.map(\.name) == ["detail", "b"] && tags.map(\.weight) == [0.8, 1])
        for bad in ["<lora:>", "<lora:a:x>", "<lora:a:nan>", "<lora:a:1:2:3:4>", "<hypernet:a:1>"] {
            #expect(throws: TokenizerError.self) { try PromptTag.split("a \(bad)") }
        }
    }
}

import TestSupport
import Testing
import Tokenizers

@Suite struct WeightedTextTests {
    static let up = 1.1

    /// Prompts and what AUTOMATIC1111's interface makes of them; weights rounded to 1e-9.
    static let examples: [(String, [(String, Double)])] = [
        ("", []),
        ("normal text", [("normal text", 1)]),
        ("an (important) word", [("an ", 1), ("important", up), (" word", 1)]),
        ("a [lesser] one", [("a ", 1), ("lesser", 1 / up), (" one", 1)]),
        ("(unbalanced", [("unbalanced", up)]),
        ("un[balanced", [("un", 1), ("balanced", 1 / up)]),
        ("unbalanced)] too", [("unbalanced)] too", 1)]),
        (#"\(literal\] \[x\) \\ \q"#, [(#"(literal] [x) \ q"#, 1)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", up)]),
        ("(word:1.2)", [("word", 1.2)]),
        ("(word : -.5 )s", [("word ", -0.5), ("s", 1)]),
        ("((word))", [("word", up * up)]),
        ("([word])", [("word", 1)]),
        ("(a:0)(b:2)", [("a", 0), ("b", 2)]),
        ("word:1.2) (a:b) (c:1.2.3)", [("word:1.2) ", 1), ("a:b", up), (" ", 1), ("c:1.2.3", up)]),
        ("(one (two:1.5) three:2)", [("one ", 2), ("two", 3), (" three", 2)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1), ("house", 1.3 * up * up), (" ", up), ("on", 1), (" a ", up), ("hill", 0.5 * up),
                (", sun, ", up), ("sky", up * up * up * up), (".", up),
            ]
        ),
        ("(e\u{301}:1.5)\u{301}", [("e\u{301}", 1.5), ("\u{301}", 1)]),
    ]

    @Test(arguments: examples) func readsWeights(_ prompt: String, _ expected: [(String, Double)]) {
        let parts = WeightedText.parts(of: prompt)
        #expect(parts.map(\.text) == expected.map(\.0))
        expectClose(parts.map(\.weight), expected.map(\.1), absolute: 1e-9, prompt)
    }

    @Test func nestedBracketsMultiply() {
        for depth in 1...20 {
            for (open, close, factor) in [("(", ")", 1.1), ("[", "]", 1 / 1.1)] {
                let prompt =
                    String(repeating: open, count: depth) + "x" + String(repeating: close, count: depth)
                let weight = (1...depth).reduce(1.0) { weight, _ in weight * factor }
                expectClose(WeightedText.parts(of: prompt).map(\.weight), [weight], relative: 1e-12)
            }
        }
    }

    @Test func bracketsInHundredOthersAreText() {
        let parts = WeightedText.parts(of: String(repeating: "(", count: 101) + "x")
        #expect(parts.map(\.text) == ["(x"])
        expectClose(
            parts.map(\.weight), [(0..<100).reduce(1.0) { weight, _ in weight * 1.1 }], relative: 1e-12)
    }

    @Test func randomPromptsKeepTheirWords() {
        var random = SplitMix(seed: 5)
        let alphabet = Array("ab (([])):1.5\\")
        for _ in 0..<2000 {
            let prompt = String(
                (0..<Int.random(in: 0...30, using: &random)).map { _ in
                    alphabet.randomElement(using: &random)!
                })
            let parts = WeightedText.parts(of: prompt)
            let letters = parts.map(\.text).joined().filter { "ab".contains($0) }
            #expect(letters == prompt.filter { "ab".contains($0) })
            #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.weight != $1.weight })
            #expect(parts.allSatisfy { !$0.text.isEmpty && $0.weight.isFinite })
        }
    }

    @Test(.timeLimit(.minutes(1))) func hostilePromptsTakeLinearTime() {
        for piece in [":", "(", "(:", ":1", "(a:", "[]"] {
            #expect(WeightedText.parts(of: String(repeating: piece, count: 100_000)).count <= 100_000)
        }
    }
}

import TestSupport
import Testing
import Tokenizers

@Suite struct PromptTests {
    let clip: CLIPTokenizer
    let t5: T5Tokenizer

    init() throws {
        clip = try CLIPTokenizer(folder: fixturePath("tokenizers/clip-sd1"))
        t5 = try T5Tokenizer(folder: fixturePath("tokenizers/t5-json"))
    }

    @Test func readsLengthAndNamedTokens() throws {
        #expect(clip.length == 77 && clip.paddingToken == clip.endToken)
        #expect(try CLIPTokenizer(folder: fixturePath("tokenizers/clip-sd2")).paddingToken == 0)
        #expect(t5.length == 64 && t5.startToken == nil && t5.endToken == 1 && t5.paddingToken == 0)
    }

    @Test func shortPromptsAreFilledUp() {
        let prompt = clip.encode("a photo")
        let tokens = clip.tokens(of: "a photo")
        #expect(prompt.ids.count == 77 && prompt.tokenCount == tokens.count + 2)
        #expect(prompt.ids.starts(with: [clip.startToken!] + tokens + [clip.endToken]))
        #expect(prompt.cut.isEmpty && prompt.warning == nil)
    }

    /// The part that is reported as cut off begins where the kept part ends.
    @Test(arguments: [4, 5, 9]) func longPromptsAreCut(_ length: Int) throws {
        let words = "a photo of the astronaut riding horse on mars"
        for tokenizer in [clip, t5] as [any TextTokenizer] {
            let tokens = tokenizer.tokens(of: words)
            let prompt = tokenizer.encode(words, length: length)
            let start = tokenizer.startToken.map { [$0] } ?? []
            let kept = length - start.count - 1
            #expect(prompt.ids == start + tokens[..<kept] + [tokenizer.endToken])
            #expect(prompt.tokenCount == length && prompt.fullCount == tokens.count + start.count + 1)
            #expect(prompt.cut == tokenizer.text(of: tokens[kept...]))
            #expect(words.hasSuffix(prompt.cut) && !prompt.cut.isEmpty)
            #expect(try #require(prompt.warning).hasSuffix(prompt.cut))
        }
    }

    @Test func promptsThatJustFitAreWhole() {
        let count = clip.tokens(of: "a photo").count
        #expect(clip.encode("a photo", length: count + 2).warning == nil)
        #expect(clip.encode("a photo", length: count + 1).warning != nil)
    }

    @Test func weightsFollowTheirTokens() {
        let parts = WeightedText.parts(of: "a (photo:1.5) [of]")
        let prompt = clip.encode(parts, length: 20)
        let counts = parts.map { clip.tokens(of: $0.text).count }
        var expected = [1.0]
        for (part, count) in zip(parts, counts) { expected += [Double](repeating: part.weight, count: count) }
        #expect(prompt.weights == expected + [Double](repeating: 1, count: 20 - expected.count))
        #expect(
            Array(prompt.ids[1...].prefix(counts.reduce(0, +))) == parts.flatMap { clip.tokens(of: $0.text) })
        #expect(clip.encode(parts, length: 3).weights.count == 3)
    }

    @Test func textOfTokensIsTheCleanedText() {
        let text = "a photo of   a HORSE, naïve 日本語 👩‍🚀"
        #expect(clip.text(of: clip.tokens(of: text)) == "a photo of a horse , naïve 日本語 👩‍🚀")
        #expect(t5.text(of: t5.tokens(of: "a photo  of mars")) == "a photo of mars")
    }

    @Test func longWordsEqualShortOnes() {
        // Long words do not pass the cache, and meet every branch of the heap.
        let word = "thethethephotophotoofastronautastronauts"
        let once = clip.tokens(of: word)
        #expect(clip.tokens(of: word) == once)
        #expect(
            clip.text(of: clip.tokens(of: String(repeating: word, count: 50)))
                == String(repeating: word, count: 50))
    }

    /// C5: 10⁶ combining marks, chains of joined emoji, NUL, marks that turn the direction of writing, megabytes
    /// in all. What would take minutes if it took quadratic time.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("a", 100_000), (" ", 100_000), ("\u{301}\u{323}", 500_000), ("\u{F73}", 100_000),
            ("👩\u{200D}", 100_000), ("\0", 100_000), ("日本", 100_000), ("!", 100_000), ("Ä", 100_000),
            ("▁", 100_000), ("\u{202E}שלום\u{202C} ", 100_000),
        ])
    func hostileTextsTakeLinearTime(_ piece: String, _ count: Int) {
        let text = "a" + String(repeating: piece, count: count)
        for tokenizer in [clip, t5] as [any TextTokenizer] {
            #expect(tokenizer.encode(text).ids.count == tokenizer.length)
        }
    }

    /// C6: texts that make patterns go back and forth take less than 50 ms of a quiet processor; on a busy one ten
    /// times as much is still none of the minutes that going back and forth would take.
    @Test(arguments: ["a", " "]) func longRunsAreQuick(_ letter: String) {
        let text = String(repeating: letter, count: 100_000)
        for tokenizer in [clip, t5] as [any TextTokenizer] {
            let times = (0..<5).map { _ in
                let start = processorSeconds()
                #expect(tokenizer.encode(text).ids.count == tokenizer.length)
                return processorSeconds() - start
            }
            #if !DEBUG
                #expect(times.min()! < 0.5, "it took \(times) seconds")
            #endif
        }
    }
}

import TestSupport
import Testing
import Tokenizers

/// Words of several vectors, as textual inversion adds them to a tokenizer's folder.
@Suite struct TextualInversionTests {
    /// Prompts as `maybe_convert_prompt` of diffusers 0.42.1 writes them, and their ids by transformers 5, for
    /// `<my-cat>` with three vectors.
    private static let cases: [(prompt: String, widened: String, ids: [Int])] = [
        ("a <my-cat>, b", "a <my-cat> <my-cat>_1 <my-cat>_2, b", [320, 954, 955, 956, 267, 321]),
        ("a <MY-cat>", "a <MY-cat>", [320, 954]),
        (
            "a <my-cat> <my-cat>_1", "a <my-cat> <my-cat>_1 <my-cat>_2 <my-cat> <my-cat>_1 <my-cat>_2_1",
            [320, 954, 955, 956, 954, 955, 956, 318, 272]
        ),
        ("x<my-cat>y", "x<my-cat> <my-cat>_1 <my-cat>_2y", [343, 954, 955, 956, 344]),
        (
            "<my-cat><my-cat>", "<my-cat> <my-cat>_1 <my-cat>_2<my-cat> <my-cat>_1 <my-cat>_2",
            [954, 955, 956, 954, 955, 956]
        ),
        ("a cat", "a cat", []),
    ]

    @Test(arguments: cases)
    func wordsAreFollowedByTheirOtherVectors(_ prompt: String, _ widened: String, _ ids: [Int]) throws {
        let folder = try TemporaryFolder()
        for name in try folderNames(fixturePath("tokenizers/clip-sd1")) {
            try folder.write(name, contents(of: fixturePath("tokenizers/clip-sd1/\(name)")))
        }
        let plain = try CLIPTokenizer(folder: folder.path)
        #expect(plain.widened(prompt) == prompt)
        try folder.write("added_tokens.json", #"{"<my-cat>": 954, "<my-cat>_1": 955, "<my-cat>_2": 956}"#)
        let tokenizer = try CLIPTokenizer(folder: folder.path)
        #expect(tokenizer.widened(prompt) == widened)
        if !ids.isEmpty { #expect(tokenizer.tokens(of: tokenizer.widened(prompt)) == ids) }
    }
}

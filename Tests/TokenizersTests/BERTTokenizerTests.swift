import Storage
import TestSupport
import Testing
import Tokenizers

/// Word pieces equal to those of transformers' `BertTokenizer`, for what `Tools/oracle/bert.py` wrote.
@Suite struct BERTTokenizerTests {
    private let tokenizer: BERTTokenizer

    init() throws { tokenizer = try BERTTokenizer(folder: fixturePath("bert")) }

    @Test func `ids are those of transformers`() throws {
        let path = fixturePath("bert/expected.json")
        let value = try JSONValue(parsing: Files.read(path, atMost: 1 << 20), place: path)
        let expected = try #require(JSONObject(json: value))
        let texts = try expected.required("texts", as: [String].self)
        let ids = try expected.required("ids", as: [[Int]].self)
        try #require(texts.count == ids.count && texts.count > 50)
        for (text, row) in zip(texts, ids) {
            let found = tokenizer.encode(text)
            #expect(Array(found.ids.prefix(found.tokenCount)) == row, "\(text)")
            #expect(found.ids.count == 77 && found.ids[found.tokenCount...].allSatisfy { $0 == 0 })
        }
    }

    @Test func `text of pieces is joined where words go on`() throws {
        #expect(tokenizer.text(of: tokenizer.tokens(of: "Unable dogs!")) == "unable dogs !")
    }

    @Test func `a folder without pieces is refused`() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: (any Error).self) { try BERTTokenizer(folder: folder.path) }
        #expect("\(try #require(error))".contains("vocab.txt"))
    }
}

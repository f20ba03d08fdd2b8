import Hub
import Testing

@Suite("Names of models on the hub")
struct HubReferenceTests {
    @Test(
        "names and revisions are read",
        arguments: [
            ("org/name", "org/name", "main"), ("a/b@v1.0", "a/b", "v1.0"),
            ("A-1_x/b.c-d", "A-1_x/b.c-d", "main"),
            ("a/b@refs/pr/3", "a/b", "refs/pr/3"),
        ])
    func reads(_ text: String, _ name: String, _ revision: String) throws {
        let model = try HubReference(text)
        #expect(model.name == name)
        #expect(model.revision == revision)
    }

    // F3, F4
    @Test(
        "what is no name is refused",
        arguments: [
            "", "a", "a/b/c", "a/../b", "../b", "a/..", "/a/b", "a//b", "a/b/", ".a/b", "a/b.", "-a/b",
            "a--b/c", "a/b..c",
            "a/b.git", "a b/c", "a/b\u{0}", "ä/b", "a\\b/c", "a/" + String(repeating: "x", count: 97), "a/b@",
            "a/b@../../x", "a/b@/x", "a/b@x y", "a/b@x\ny", "a/b@x//y", "a/b@.x", "a/b@x/.git",
        ])
    func refuses(_ text: String) {
        #expect(!HubReference.isOne(text))
        let error = #expect(throws: HubError.self) { try HubReference(text) }
        #expect(error?.isOfInput == true)
    }

    @Test("a revision may be given apart, and two must be one")
    func revisions() throws {
        #expect(try HubReference("a/b", revision: "x").revision == "x")
        #expect(try HubReference("a/b@x", revision: "x").revision == "x")
        #expect(throws: HubError.self) { try HubReference("a/b@x", revision: "y") }
    }
}

import Foundation
import Hub
import LoopbackHub
import Storage
import Testing

@Suite("A hub that misbehaves")
struct FaultTests {
    /// Rules after which the model is whole.
    static let mended: [(String, [LoopbackHub.Rule])] = [
        (
            "a status that passes",
            [.init("main", .status(500), count: 2), .init(TinyHub.unet, .status(503), count: 2)]
        ),
        ("408", [.init(TinyHub.unet, .status(408), count: 1)]),
        ("429 with a pause", [.init("main", .status(429, ["Retry-After": "0"]), count: 2)]),
        (
            "429 with a pause without end",
            [.init("main", .status(429, ["Retry-After": "1000000000"]), count: 1)]
        ),
        (
            "429 until a date long past",
            [.init("main", .status(429, ["Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"]), count: 1)]
        ),
        ("no heads", [.init("", .status(405), method: "HEAD")]),
        ("a weak tag", [.init("", .tag { "W/" + $0 })]),
        ("a bare tag", [.init("", .tag { $0.filter { $0 != "\"" } })]),
        ("an empty answer", [.init("main", .cut(after: 0), count: 1)]),
        ("too long a length", [.init("unet/config.json", .announces(9), count: 1, method: "GET")]),
    ]

    // F12
    @Test("what passes is waited for", arguments: mended.indices)
    func mends(_ index: Int) throws {
        let tiny = try TinyHub()
        let rules = Self.mended[index].1
        rules.count == 1 ? tiny.hub.set(rules[0]) : tiny.hub.set(rules[0], rules[1])
        try tiny.model()
        #expect(tiny.fetched == TinyHub.needed, "\(Self.mended[index].0)")
        #expect(tiny.isSound)
    }

    /// Rules after which it is not, whether the request is at fault, and a word of the sentence.
    static let refused: [(LoopbackHub.Rule, isOfInput: Bool, word: String)] = [
        (.init("", .status(500)), false, "500"),
        (.init("main", .status(404, ["X-Error-Code": "RepoNotFound"])), true, "no model org/name"),
        (.init("main", .status(401, ["X-Error-Code": "RepoNotFound"])), true, "HF_TOKEN"),
        (.init("main", .status(403, ["X-Error-Code": "GatedRepo"])), true, "gated"),
        (.init("main", .status(401)), true, "HF_TOKEN"),
        (.init("unet/config.json", .status(404)), true, "does not have it"),
        (.init("main", .page), false, "web page"),
        (.init("main", .status(418)), false, "418"),
        (.init("unet/config.json", .page), false, "ETag"),
        (.init("unet/config.json", .tag(nil)), false, "no ETag"),
        (.init("unet/config.json", .tag { _ in "\"../../x\"" }), false, "no file's name"),
        (.init("unet/config.json", .otherByte, method: "GET"), false, "git sha1"),
        (.init("unet/config.json", .packed), false, "packed"),
        (.init("unet/config.json", .longer(by: 5), method: "GET"), false, "git sha1"),
        (.init("config.json", .redirect { "http://127.0.0.1:1\($0.path)" }), false, "no connection"),
        (.init("unet/config.json", .redirect { $0.path }), false, "circle"),
        (.init("unet/config.json", .redirect { _ in "file:///etc/passwd" }), false, "no address of the web"),
        (.init("unet/config.json", .redirect { _ in "http://169.254.169.254/latest" }), false, "169.254"),
    ]

    // F5, F6, F9, F10, F18
    @Test("what does not pass is a sentence", arguments: refused.indices)
    func refuses(_ index: Int) throws {
        let tiny = try TinyHub()
        let (rule, isOfInput, word) = Self.refused[index]
        tiny.hub.set(rule)
        let error = tiny.error()
        #expect(error?.isOfInput == isOfInput, "\(error as Any)")
        #expect(error?.description.contains(word) == true, "\(error as Any)")
        #expect(tiny.isSound)
        // And it leaves nothing behind that stands in the way.
        tiny.hub.reset()
        try tiny.model()
        #expect(tiny.fetched == TinyHub.needed)
        #expect(tiny.isSound)
        #expect(!tiny.blobs.contains { $0.contains(".incomplete") })
    }

    // F11
    @Test(
        "large files that arrive damaged never have their names",
        arguments: [Fault.otherByte, .longer(by: 1), .page])
    func damagedLargeFiles(_ fault: Fault) throws {
        let tiny = try TinyHub()
        try tiny.hub.set(.init(tiny.tag(TinyHub.unet), fault))
        #expect(tiny.error() != nil)
        #expect(!tiny.fetched.contains(TinyHub.unet))
        #expect(tiny.isSound)
    }

    @Test("what is here of a large file does not give way to a page")
    func pages() throws {
        let tiny = try TinyHub()
        let tag = try tiny.tag(TinyHub.unet)
        tiny.hub.set(.init(tag, .cut(after: 150_000), count: 1), .init(tag, .page))
        let error = tiny.error()
        #expect(error?.description.contains("in place of 200000") == true, "\(error as Any)")
        tiny.hub.reset()
        try tiny.model()
        #expect(tiny.hub.requests.filter { $0.path.hasSuffix(tag) }.map(\.start) == [150_000])
    }

    @Test("a large file that is listed and is not there is the input's fault")
    func missingContents() throws {
        let tiny = try TinyHub()
        tiny.hub.set(.init(try tiny.tag(TinyHub.unet), .status(404)))
        #expect(tiny.error()?.isOfInput == true)
    }

    @Test("a wrong size at the head does not spoil what is right")
    func wrongSizes() throws {
        let tiny = try TinyHub()
        tiny.hub.set(.init("unet/config.json", .announces(7), method: "HEAD"))
        try tiny.model()
        #expect(tiny.isSound && tiny.fetched == TinyHub.needed)
    }

    @Test("a revision that there is not is named")
    func revisions() throws {
        let tiny = try TinyHub()
        let error = tiny.error(revision: "v9")
        #expect(error?.isOfInput == true)
        #expect(error?.description.contains("\"v9\"") == true)
    }

    @Test("a name that the hub does not have is the input's fault, and one that can be none makes no request")
    func names() throws {
        let tiny = try TinyHub()
        #expect(tiny.error("org/other")?.isOfInput == true)
        tiny.hub.reset()
        #expect(tiny.error("a/../b")?.isOfInput == true)
        #expect(tiny.hub.requests.isEmpty)
    }

    @Test("nobody at the address is no fault of the input")
    func nobody() throws {
        let tiny = try TinyHub()
        tiny.environment["HF_ENDPOINT"] = "http://127.0.0.1:1"
        #expect(tiny.error()?.isOfInput == false)
        tiny.environment["HF_ENDPOINT"] = "http://nowhere.invalid"
        #expect(tiny.error()?.isOfInput == false)
    }

    // F16
    @Test("a list without end is refused")
    func longLists() throws {
        let tiny = try TinyHub()
        tiny.hub.set(.init("main", .longer(by: 17 << 20)))
        #expect(tiny.error()?.description.contains("larger than any model's") == true)
    }

    // F15
    @Test("a cache that takes no files is named")
    func noPlace() throws {
        let tiny = try TinyHub()
        tiny.environment["HF_HUB_CACHE"] = "/dev/null/hub"
        let error = #expect(throws: FileError.self) { try tiny.model() }
        #expect(error?.path.hasPrefix("/dev/null") == true)
    }

    // F15
    @Test("a disk without room is named before anything is fetched")
    func room() throws {
        let tiny = try TinyHub()
        tiny.hub.set(
            .init(TinyHub.unet, .init(header: "X-Linked-Size", "\(1 << 44)"), method: "HEAD"))
        #expect(tiny.error()?.description.contains("make room") == true)
        let tag = try tiny.tag(TinyHub.unet)
        #expect(!tiny.hub.requests.contains { $0.path.hasSuffix(tag) })
    }
}

extension TinyHub {
    /// The sha256 of a large file.
    func tag(_ file: String) throws -> String {
        let digest = SHA256()
        Self.files[file]?.withUnsafeBytes { digest.update($0) }
        return digest.hexadecimal()
    }
}

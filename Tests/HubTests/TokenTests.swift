import Foundation
import LoopbackHub
import Storage
import Testing

@Suite("The hub's token")
struct TokenTests {
    private let token = "hf_SecretSecretSecret"

    @Test("goes to the hub, and to no other server")
    func goesToTheHubAlone() throws {
        let tiny = try TinyHub(token: token)
        tiny.environment["HF_TOKEN"] = token
        try tiny.model()
        #expect(tiny.fetched == TinyHub.needed)
        for request in tiny.hub.requests {
            #expect((request.headers["authorization"] == nil) == request.isOfContents)
        }
        #expect(tiny.hub.requests.contains { $0.isOfContents })
    }

    @Test("is read from the file that Python's library writes")
    func storedToken() throws {
        let tiny = try TinyHub(token: token)
        try Files.createFolder(tiny.cache + ".home")
        defer { try? FileManager.default.removeItem(atPath: tiny.cache + ".home") }
        try Files.write("\(token)\n".utf8, to: tiny.cache + ".home/token")
        try tiny.model()
    }

    @Test("without one, and with a wrong one, a gated model says what to do")
    func gated() throws {
        let tiny = try TinyHub(token: token)
        #expect(tiny.error()?.description.contains("accept its conditions") == true)
        tiny.environment["HF_TOKEN"] = "hf_wrong"
        let error = tiny.error()
        #expect(error?.description.contains("check HF_TOKEN") == true)
        #expect(error?.isOfInput == true)
    }

    // F17
    @Test("is in no message, even where the server repeats it")
    func inNoMessage() throws {
        let tiny = try TinyHub(token: token)
        tiny.environment["HF_TOKEN"] = token
        for fault in [Fault.repeatsToken, .status(500), .page, .redirect { _ in "file://\(self.token)" }] {
            tiny.hub.set(.init("main", fault))
            let error = tiny.error()
            #expect(error?.description.contains(token) == false, "\(error as Any)")
        }
        tiny.hub.reset()
        try tiny.model()
        #expect(!tiny.messages.joined().contains(token))
        // Nor anywhere in the cache.
        let names = try FileManager.default.subpathsOfDirectory(atPath: tiny.cache)
        #expect(names.count > 20)
        for name in names {
            let bytes = FileManager.default.contents(atPath: "\(tiny.cache)/\(name)") ?? Data()
            #expect(bytes.range(of: Data(token.utf8)) == nil)
        }
    }
}

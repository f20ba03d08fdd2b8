import Foundation
import LoopbackHub
import Pictures
import TestSupport
import Testing

/// Models of a hub on the loopback address, through the program.
@Suite struct HubCommandTests {
    private let folder: TemporaryFolder
    private let model: FixtureModel
    private let files: [String: [UInt8]]
    private let token = "hf_SecretSecretSecret"

    init() throws {
        folder = try TemporaryFolder()
        let model = try FixtureModel(of: "sd1", in: folder)
        self.model = model
        let names = try FileManager.default.subpathsOfDirectory(atPath: model.path)
        let own = try names.filter { !isFolder("\(model.path)/\($0)") }
            .map { ($0, try contents(of: "\(model.path)/\($0)")) }
        files = Dictionary(uniqueKeysWithValues: own).merging([
            "README.md": Array("read me".utf8), "unet/diffusion_pytorch_model.bin": [1, 2, 3],
        ]) { $1 }
    }

    private func environment(_ hub: LoopbackHub, token: String? = nil) -> [String: String] {
        var environment = [
            "HF_ENDPOINT": hub.address, "HF_HOME": folder("home"), "HF_HUB_CACHE": "", "HF_HUB_OFFLINE": "",
            "HF_HUB_DOWNLOAD_TIMEOUT": "2", "HF_TOKEN": "",
        ]
        environment["HF_TOKEN"] = token ?? ""
        return environment
    }

    private func generate(_ model: String, _ more: String..., out: String) -> [String] {
        [
            "generate", "a cat", "--model", model, "--width", "48", "--height", "32", "--steps", "2", "-o",
            folder(out),
        ] + more
    }

    private func pixels(_ name: String) throws -> [UInt8] {
        try Picture(contentsOf: URL(fileURLWithPath: folder(name))).pixels
    }

    @Test func oneCommandFromAnEmptyCacheMakesThePictureOfTheFolder() throws {
        let hub = try LoopbackHub("org/name", files, token: token)
        let environment = environment(hub, token: token)
        let first = try Program.run(generate("org/name", "--json", out: "a.png"), environment: environment)
        try #require(first.code == 0, "\(first.messages)")
        let folderCall = try Program.run(generate(model.path, "--json", out: "b.png"))
        try #require(folderCall.code == 0, "\(folderCall.messages)")
        #expect(try pixels("a.png") == pixels("b.png"))
        // The time of each phase, the download's too, which a folder has none of.
        let seconds = try #require(first.json()["seconds"] as? [String: Double])
        #expect(Set(seconds.keys) == ["download", "load", "sample", "decode", "write"])
        #expect(try #require(folderCall.json()["seconds"] as? [String: Double])["download"] == nil)
        let settings = try #require(first.json()["settings"] as? [String: Any])
        #expect(settings["model"] as? String == "org/name")
        // Progress is a person's, and neither it nor anything else holds the token.
        #expect(first.messages.contains("100%") && first.messages.contains(" of "))
        let all = [Array(first.output.utf8), Array(first.messages.utf8), folder.bytes("a.png")]
        #expect(!all.contains { String(decoding: $0, as: UTF8.self).contains(token) })
        // Pickles and what nobody opens are left where they are.
        #expect(!hub.requests.contains { $0.path.hasSuffix(".bin") || $0.path.hasSuffix("README.md") })

        hub.reset()
        let second = try Program.run(generate("org/name", out: "c.png"), environment: environment)
        #expect(second.code == 0 && hub.requests.count == 1)
        #expect(folder.bytes("c.png") == folder.bytes("a.png"))
        // Without the hub, and without asking it.
        hub.setDown(true)
        let alone = try Program.run(generate("org/name", out: "d.png"), environment: environment)
        #expect(alone.code == 0 && alone.messages.contains("what the cache holds"), "\(alone.messages)")
        let offline = try Program.run(
            generate("org/name", "--offline", out: "e.png"), environment: environment)
        #expect(offline.code == 0 && !offline.messages.contains("what the cache holds"))
        let commit = try Program.run(
            generate("org/name", "--revision", hub.commit, out: "f.png"), environment: environment)
        #expect(commit.code == 0 && !commit.messages.contains("what the cache holds"))
        #expect(folder.bytes("f.png") == folder.bytes("a.png"))
    }

    @Test func twoProcessesAtOnceFetchEachFileOnce() throws {
        let hub = try LoopbackHub("org/name", files)
        let environment = environment(hub)
        let (group, codes) = (DispatchGroup(), Codes())
        for name in ["a.png", "b.png"] {
            let call = generate("org/name", out: name)
            DispatchQueue.global().async(group: group) {
                codes.add((try? Program.run(call, environment: environment).code) ?? -1)
            }
        }
        group.wait()
        #expect(codes.all == [0, 0])
        let fetched = hub.requests.filter { $0.isOfContents && $0.method == "GET" }.map(\.path)
        #expect(fetched.count == Set(fetched).count && fetched.count > 3)
        #expect(folder.bytes("a.png") == folder.bytes("b.png"))
    }

    @Test func theCacheIsListedAndEmptied() throws {
        let hub = try LoopbackHub("org/name", files)
        let environment = environment(hub)
        func run(_ words: String...) throws -> Program.Outcome {
            try Program.run(words, environment: environment)
        }
        #expect(try run("models").output.contains("holds no models"))
        #expect(try run("models", "remove", "org/name").code == 2)
        // To look at a model takes no weights.
        let facts = try run("inspect", "org/name", "--json")
        try #require(facts.code == 0, "\(facts.messages)")
        let own = try Program.run("inspect", model.path, "--json").json()
        #expect(try facts.json()["parameters"] as? Int == own["parameters"] as? Int)
        #expect(!hub.requests.contains { $0.path.hasSuffix(".safetensors") })
        #expect(try Program.run(generate("org/name", out: "a.png"), environment: environment).code == 0)

        let listed = try run("models", "--json").json()
        let models = try #require(listed["models"] as? [[String: Any]])
        #expect(models.count == 1 && models[0]["name"] as? String == "org/name")
        #expect(models[0]["revision"] as? String == hub.commit)
        #expect(models[0]["references"] as? [String] == ["main"])
        #expect(models[0]["last_used"] is String)
        let size = try #require(models[0]["size"] as? Int)
        #expect(size > 100_000 && listed["size"] as? Int ?? 0 <= size)
        let text = try run("models").output
        #expect(text.contains("org/name") && text.contains("(main)") && text.contains("last used"))

        #expect(try run("models", "remove").code == 2)
        #expect(try run("models", "delete", "org/name").code == 2)
        #expect(try run("models", "remove", "org/name", "org/other").code == 2)
        #expect(try run("models", "--json").json()["size"] as? Int ?? 0 > 0)
        #expect(try run("models", "remove", "org/name").code == 0)
        #expect(try run("models", "--json").json()["size"] as? Int == 0)
    }

    @Test func aModelWithoutTextsIsSampledAtARevision() throws {
        let tiny = try TinyModel()
        let names = try FileManager.default.subpathsOfDirectory(atPath: tiny.model)
        let own = try names.filter { !isFolder("\(tiny.model)/\($0)") }
            .map { ($0, try contents(of: "\(tiny.model)/\($0)")) }
        let hub = try LoopbackHub("org/tiny", Dictionary(uniqueKeysWithValues: own))
        func sample(_ more: String...) throws -> Program.Outcome {
            try Program.run(
                ["sample"] + more + ["--steps", "2", "-o", folder("s.png")], environment: environment(hub))
        }
        let named = try sample("org/tiny@main")
        #expect(named.code == 0, "\(named.messages)")
        #expect(try sample("org/tiny", "--revision", hub.commit).code == 0)
        #expect(try sample("org/tiny", "--revision", "v9").code == 2)
        #expect(try sample(tiny.model, "--revision", "main").code == 2)
    }

    @Test func whatIsWrongIsASentenceWithTheRightCode() throws {
        let hub = try LoopbackHub("org/name", files, token: token)
        func expect(_ model: String, _ code: Int32, _ words: String, _ more: [String: String] = [:]) throws {
            let outcome = try Program.run(
                generate(model, out: "x.png"), environment: environment(hub).merging(more) { $1 })
            #expect(outcome.code == code && outcome.messages.contains(words), "\(outcome.messages)")
            #expect(outcome.messages.hasPrefix("error: "), "\(outcome.messages)")
            #expect(outcome.messages.filter { $0 == "\n" }.count == 1, "\(outcome.messages)")
            #expect(!FileManager.default.fileExists(atPath: folder("x.png")))
        }
        try expect("org/name", 2, "gated")
        let right = ["HF_TOKEN": token]
        try expect("org/other", 2, "no model org/other", right)
        // It may be a path that was mistyped.
        try expect("org/other", 2, "no file or folder 'org/other' here", right)
        try expect("org/name@v9", 2, "no revision \"v9\"", right)
        try expect("org/../name", 2, "there is no model")
        try expect("org/name", 2, "no file or folder 'org/name' here", ["HF_HUB_OFFLINE": "1"])
        try expect("org/name", 2, "fetched offline", ["HF_HUB_OFFLINE": "1"])
        try expect("org/name", 2, "HF_ENDPOINT", ["HF_ENDPOINT": "nowhere"])
        try expect("org/name", 1, "cannot be reached", ["HF_ENDPOINT": "http://127.0.0.1:1"])
        try expect("org/nam", 1, "no file or folder 'org/nam' here", ["HF_ENDPOINT": "http://127.0.0.1:1"])
        hub.set(.init("unet/config.json", .otherByte, method: "GET"))
        try expect("org/name", 1, "git sha1", right)
    }
}

/// Exit codes of processes that run at the same time.
private final class Codes: @unchecked Sendable {
    private let lock = NSLock()
    private var codes: [Int32] = []

    func add(_ code: Int32) { lock.withLock { codes.append(code) } }

    var all: [Int32] { lock.withLock { codes } }
}

private func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
}

import Foundation
import Hub
import LoopbackHub
import Storage
import Testing

@Suite("Models of the hub in the cache")
struct SnapshotTests {
    @Test("a model is fetched, what is needed of it and nothing else")
    func fetches() throws {
        let tiny = try TinyHub()
        #expect(try tiny.model() == tiny.snapshot)
        #expect(tiny.fetched == TinyHub.needed)
        #expect(tiny.isSound)
        #expect(try Files.read("\(tiny.cache)/models--org--name/refs/main") == Array(tiny.hub.commit.utf8))
        #expect(tiny.names("") == [".locks", "models--org--name"])
        #expect(tiny.names("models--org--name") == ["blobs", "refs", "snapshots"])
        #expect(!tiny.blobs.contains { $0.contains(".incomplete") })
        let link = try FileManager.default.destinationOfSymbolicLink(
            atPath: "\(tiny.snapshot)/\(TinyHub.unet)")
        #expect(link.hasPrefix("../../../blobs/"))
        #expect(HubCache.model(ofSnapshot: tiny.snapshot) == "org/name")
    }

    @Test("git's id of a file is known from git itself")
    func gitDigest() throws {
        // git hash-object on a file of "hello\n".
        let tiny = try TinyHub(["a.safetensors": Array("hello\n".utf8)])
        #expect(try tiny.model() == "\(tiny.snapshot)/a.safetensors")
        #expect(tiny.blobs == ["ce013625030ba8dba906f756967f9e9ca394464a"])
    }

    @Test("the same model a second time takes one request, and a commit takes none")
    func requests() throws {
        let tiny = try TinyHub()
        try tiny.model()
        tiny.hub.reset()
        try tiny.model()
        #expect(tiny.hub.requests.map(\.path) == ["/api/models/org/name/revision/main"])
        tiny.hub.reset()
        #expect(try tiny.model("org/name@\(tiny.hub.commit)") == tiny.snapshot)
        #expect(tiny.hub.requests.isEmpty)
    }

    @Test("a commit leaves no reference")
    func commits() throws {
        let tiny = try TinyHub()
        try tiny.model(revision: tiny.hub.commit)
        #expect(tiny.names("models--org--name") == ["blobs", "snapshots"])
        #expect(tiny.isSound)
    }

    @Test("a variant brings its own weights, and the plain ones of parts that lack it")
    func variants() throws {
        let tiny = try TinyHub()
        try tiny.model(variant: "fp16")
        let wanted = TinyHub.needed.map {
            $0 == TinyHub.unet ? "unet/diffusion_pytorch_model.fp16.safetensors" : $0
        }
        #expect(tiny.fetched == wanted.sorted())
        // What is here of one variant is not taken for the other.
        try tiny.model(revision: tiny.hub.commit)
        #expect(tiny.fetched == (wanted + [TinyHub.unet]).sorted())
    }

    @Test("what describes a model is fetched without its weights")
    func withoutWeights() throws {
        let tiny = try TinyHub()
        let hub = Hub(try HubSettings(tiny.environment))
        #expect(try hub.model("org/name", takesWeights: false) == tiny.snapshot)
        #expect(tiny.fetched == TinyHub.needed.filter { !$0.contains("safetensors") })
        // The weights come when they are needed, though nothing else has changed.
        try tiny.model(revision: tiny.hub.commit)
        #expect(tiny.fetched == TinyHub.needed)
    }

    @Test("half precision is taken where there is nothing else")
    func halves() throws {
        var files = TinyHub.files
        files[TinyHub.unet] = nil
        let tiny = try TinyHub(files)
        try tiny.model()
        #expect(tiny.fetched.contains("unet/diffusion_pytorch_model.fp16.safetensors"))
    }

    @Test("offline, and while the hub is down, the cache is used")
    func offline() throws {
        let tiny = try TinyHub()
        try tiny.model()
        tiny.hub.setDown(true)
        #expect(try tiny.model() == tiny.snapshot)
        #expect(tiny.messages.count == 1)
        tiny.hub.setDown(false)
        tiny.hub.reset()
        tiny.environment["HF_HUB_OFFLINE"] = "1"
        #expect(try tiny.model() == tiny.snapshot)
        #expect(tiny.hub.requests.isEmpty)
        tiny.environment["HF_HUB_OFFLINE"] = nil
        tiny.hub.set(.init("", .status(503)))
        #expect(try tiny.model() == tiny.snapshot)
    }

    @Test("offline, a part that is missing is named")
    func offlineWithout() throws {
        let tiny = try TinyHub()
        tiny.environment["HF_HUB_OFFLINE"] = "1"
        #expect(tiny.error()?.description.contains("the revision main") == true)
        tiny.environment["HF_HUB_OFFLINE"] = nil
        try tiny.model()
        try FileManager.default.removeItem(atPath: "\(tiny.snapshot)/\(TinyHub.unet)")
        tiny.environment["HF_HUB_OFFLINE"] = "1"
        let error = tiny.error()
        #expect(error?.description.contains("the weights in unet/") == true)
        #expect(error?.isOfInput == true)
    }

    @Test("a model without an index and with one file is that file; with several they are named")
    func singleFiles() throws {
        let one = try TinyHub(["v1.safetensors": noise(9000, seed: 1), "v1.ckpt": noise(9000, seed: 2)])
        #expect(try one.model() == "\(one.snapshot)/v1.safetensors")
        #expect(one.fetched == ["v1.safetensors"])
        let two = try TinyHub(["a.safetensors": [1], "b.safetensors": [2]])
        #expect(two.error()?.description.contains("\"a.safetensors\", \"b.safetensors\"") == true)
    }

    @Test("pickles are not fetched, and named")
    func pickles() throws {
        var files = TinyHub.files.filter { !$0.key.hasPrefix("unet/") || $0.key.hasSuffix(".bin") }
        files["unet/config.json"] = Array("{}".utf8)
        let error = try TinyHub(files).error()
        #expect(error?.description.contains("unet/diffusion_pytorch_model.bin") == true)
        #expect(error?.isOfInput == true)
        let only = try TinyHub(["model.ckpt": noise(9000, seed: 2)])
        #expect(only.error()?.description.contains("model.ckpt") == true)
    }

    // F1, F2
    @Test(
        "names of files that lead elsewhere are refused",
        arguments: [
            "tokenizer/../../x.json", "tokenizer/..json.", "tokenizer/CON.json", "tokenizer/a\\\\b.json",
            "tokenizer/a:b.json",
            "tokenizer/nul.txt", "tokenizer/a\\u0000.json", "tokenizer/a\\n.json", "tokenizer/ .json ",
            "tokenizer/a|b.json",
            "tokenizer/a?.json", "tokenizer/a*.json", "tokenizer/<a>.json",
            "tokenizer/" + String(repeating: "x", count: 260) + ".json",
        ])
    func hostileNames(_ name: String) throws {
        var files = TinyHub.files
        files[name] = Array("{}".utf8)
        let tiny = try TinyHub(files)
        let isFetched = (try? tiny.model()) != nil
        // Some are no files of a part, and are left alone.
        #expect(!isFetched || tiny.fetched == TinyHub.needed)
        #expect(tiny.isSound)
    }

    @Test("a part whose name leads elsewhere is refused", arguments: ["..", "a/b", "/etc", ".", "CON"])
    func hostileParts(_ name: String) throws {
        var files = TinyHub.files
        files["model_index.json"] = Array("{\"_class_name\": \"X\", \"\(name)\": [\"a\", \"b\"]}".utf8)
        #expect(try TinyHub(files).error()?.isOfInput == true)
    }

    @Test(
        "shards that lie elsewhere or are missing are refused",
        arguments: ["../x.safetensors", "/x.safetensors", "x.bin", "y.safetensors"])
    func hostileShards(_ name: String) throws {
        var files = TinyHub.files
        files["text_encoder/model.safetensors.index.json"] = Array(
            "{\"weight_map\": {\"a\": \"\(name)\"}}".utf8)
        #expect(try TinyHub(files).error()?.isOfInput == true)
    }

    @Test("two names that differ by the case of letters are refused")
    func foldedNames() throws {
        var files = TinyHub.files
        files["tokenizer/Vocab.json"] = Array("{}".utf8)
        #expect(try TinyHub(files).error()?.isOfInput == true)
    }

    @Test("a blob that leads nowhere, or is too short, is fetched again")
    func spoiltBlobs() throws {
        let tiny = try TinyHub()
        try tiny.model()
        let tag = try tiny.tag(TinyHub.unet)
        let blob = "\(tiny.cache)/models--org--name/blobs/\(tag)"
        try Files.remove(blob)
        try FileManager.default.createSymbolicLink(atPath: blob, withDestinationPath: "../nowhere")
        try tiny.model()
        #expect(tiny.isSound && tiny.fetched == TinyHub.needed)
        try Files.write([1, 2, 3], to: blob)
        try FileManager.default.removeItem(atPath: "\(tiny.snapshot)/\(TinyHub.unet)")
        try tiny.model()
        #expect(tiny.isSound && tiny.fetched == TinyHub.needed)
    }

    // F14
    @Test("a link that leads out of the cache, or nowhere, is made anew")
    func foreignLinks() throws {
        let tiny = try TinyHub()
        try tiny.model()
        for target in ["/etc/hostname", "../../../blobs/nothing"] {
            let link = "\(tiny.snapshot)/\(TinyHub.unet)"
            try FileManager.default.removeItem(atPath: link)
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
            try tiny.model(revision: tiny.hub.commit)
            #expect(tiny.isSound)
        }
    }

    @Test("what Python's library noted of a commit says what is missing")
    func listedByPython() throws {
        let tiny = try TinyHub()
        try tiny.model()
        let trees = "\(tiny.cache)/models--org--name/trees"
        try Files.createFolder(trees)
        let names = TinyHub.needed + ["tokenizer/added_tokens.json"]
        let files = names.map { "\"\($0)\": {}" }.joined(separator: ", ")
        try Files.write(
            "{\"format_version\": 1, \"files\": {\(files)}}".utf8, to: "\(trees)/\(tiny.hub.commit).json")
        tiny.environment["HF_HUB_OFFLINE"] = "1"
        #expect(tiny.error()?.description.contains("added_tokens.json") == true)
    }
}

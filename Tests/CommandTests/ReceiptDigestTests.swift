import Checkpoints
import Foundation
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Receipts hold the sha256 of every file of weights that was loaded, and the program remembers them.
@Suite struct ReceiptDigestTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    // MARK: Weights

    @Test func everyFileOfWeightsThatWasLoadedIsInTheReceipt() throws {
        let model = try FixtureModel(of: "sd1", in: folder)
        let unet = "\(model.path)/unet"
        // Another set, whose U-Net is in several files.
        for part in ["vae", "text_encoder"] {
            let base = part == "vae" ? "diffusion_pytorch_model" : "model"
            try SafetensorsWriter(model.weights(of: part).map { ($0, $1 * 1.25) })
                .write(to: "\(model.path)/\(part)/\(base).fp16.safetensors")
        }
        try ModelFolder(unet).write(
            model.weights(of: "unet"), names: WeightsFileName(variant: "fp16"), maximalShardByteCount: 8_000)
        func loaded(_ more: String...) throws -> (hash: JSONValue?, files: [String]) {
            let receipt = try folder.receipt(
                [
                    "generate", "a cat", "--model", model.path, "--width", "48", "--height", "48", "--steps",
                    "1", "--solver", "ddim",
                ] + more)
            let files = try receipt.required("weights", as: [JSONObject].self).map { file in
                let (part, name) = try (
                    file.required("part", as: String.self), file.required("file", as: String.self)
                )
                #expect(file["sha256"] == .string(fileDigest("\(model.path)/\(part)/\(name)")))
                return "\(part)/\(name)"
            }
            return (receipt["model_hash"], files)
        }
        let (plain, half) = (try loaded(), try loaded("--variant", "fp16"))
        #expect(
            plain.files == [
                "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
                "vae/diffusion_pytorch_model.safetensors",
            ])
        #expect(plain.hash == .string(fileDigest("\(unet)/diffusion_pytorch_model.safetensors")))
        let shards = try FileManager.default.contentsOfDirectory(atPath: unet)
            .filter { $0.contains("fp16-0") }.sorted()
        #expect(shards.count > 1)
        #expect(
            half.files.sorted()
                == (shards.map { "unet/\($0)" } + [
                    "text_encoder/model.fp16.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors",
                ]).sorted())
        #expect(half.hash != plain.hash)
        // A single byte of the last shard changes the hash of the whole.
        let last = "\(unet)/\(try #require(shards.last))"
        var bytes = try contents(of: last)
        bytes[bytes.count - 2] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: last))
        #expect(try loaded("--variant", "fp16").hash != half.hash)
    }

    @Test func configurationsAndTokenizersHaveAHash() throws {
        let model = try FixtureModel(of: "sd1", in: folder)
        let call = [
            "generate", "a cat", "--model", model.path, "--steps", "1", "--width", "48", "--height", "48",
        ]
        let first = try folder.receipt(call + ["--solver", "ddim"])
        let path = "\(model.path)/scheduler/scheduler_config.json"
        try Data(contents(of: path) + [32]).write(to: URL(fileURLWithPath: path))
        let second = try folder.receipt(call + ["--solver", "ddim"])
        #expect(first["configuration_hash"] != nil && first["model_hash"] == second["model_hash"])
        #expect(first["configuration_hash"] != second["configuration_hash"])
    }

    // MARK: The cache

    @Test func digestsAreRememberedOutsideOfTheModel() throws {
        let tiny = try TinyModel()
        let weights = tiny.model + "/unet/diffusion_pytorch_model.safetensors"
        let places = ["XDG_CACHE_HOME": folder("cache")]
        func hash(_ environment: [String: String]) throws -> String {
            let outcome = try Program.run(
                ["sample", tiny.run, "--steps", "1", "-o", folder("x.png"), "--json"],
                environment: environment)
            try #require(outcome.code == 0, "\(outcome.messages)")
            let settings = try #require(outcome.json()["settings"] as? [String: Any])
            return try #require(settings["model_hash"] as? String)
        }
        let before = try listing(tiny.run)
        let own = fileDigest(weights)
        #expect(try hash(places) == own)
        #expect(try listing(tiny.run) == before)
        let entries = folder("cache/langevin/sha256")
        let entry = try "\(entries)/\(#require(folderNames(entries).first))"
        #expect(try folderNames(entries).count == 1)
        #expect(try String(decoding: contents(of: entry), as: UTF8.self).hasPrefix(own))
        // The same device, inode, size and time: it is not read again.
        let times = try times(of: weights)
        var bytes = try contents(of: weights)
        bytes[bytes.count - 2] ^= 1
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: weights))
        try file.write(contentsOf: bytes)
        try file.close()
        try #require(utimensat(AT_FDCWD, weights, times, 0) == 0)
        #expect(try hash(places) == own)
        // A damaged entry counts as none, and is written anew.
        var damaged = try contents(of: entry)
        damaged[3] = damaged[3] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
        try Data(damaged).write(to: URL(fileURLWithPath: entry))
        let changed = fileDigest(weights)
        #expect(try hash(places) == changed && changed != own)
        #expect(try String(decoding: contents(of: entry), as: UTF8.self).hasPrefix(changed))
        // Places that cannot be written, or are none.
        try folder.write("file", "x")
        for place in [folder("file"), "/proc/none", "relative", ""] {
            #expect(try hash(["XDG_CACHE_HOME": place, "HOME": folder("file")]) == changed)
        }
        #expect(!FileManager.default.fileExists(atPath: Program.root + "/relative"))
        #expect(try hash(["XDG_CACHE_HOME": "", "HOME": folder("home")]) == changed)
        #expect(try folderNames(folder("home/.cache/langevin/sha256")).count == 1)
    }

    /// The files of a folder with the times of their last change.
    private func listing(_ path: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path).sorted().map { name in
            let time = try times(of: "\(path)/\(name)")[1]
            return "\(name) \(time.tv_sec) \(time.tv_nsec)"
        }
    }

    /// When a file was last read and last changed.
    private func times(of path: String) throws -> [timespec] {
        var status = stat()
        try #require(stat(path, &status) == 0)
        #if canImport(Darwin)
            return [status.st_atimespec, status.st_mtimespec]
        #else
            return [status.st_atim, status.st_mtim]
        #endif
    }
}

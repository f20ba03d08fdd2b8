import Foundation
import Hub
import LoopbackHub
import Storage
import Testing

/// A hub with a small model, and a cache of its own.
final class TinyHub {
    let hub: LoopbackHub
    /// The folder of the cache, removed at the end.
    let cache: String
    var environment: [String: String]
    /// What was said.
    private(set) var messages: [String] = []
    private(set) var progress: [HubProgress] = []

    static let unet = "unet/diffusion_pytorch_model.safetensors"

    /// The files of a model in the diffusers layout, with much that is not needed to open it.
    static let files: [String: [UInt8]] = [
        "model_index.json": Array(
            """
            {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.0",
             "unet": ["diffusers", "UNet2DConditionModel"], "text_encoder": ["transformers", "CLIPTextModel"],
             "tokenizer": ["transformers", "CLIPTokenizer"], "scheduler": ["diffusers", "DDIMScheduler"],
             "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"], "image_encoder": [null, null]}
            """.utf8),
        "README.md": Array("read me".utf8),
        "v1-pruned.safetensors": noise(9000, seed: 1),
        "unet/config.json": Array("{}".utf8),
        unet: noise(200_000, seed: 2),
        "unet/diffusion_pytorch_model.fp16.safetensors": noise(100_000, seed: 3),
        "unet/diffusion_pytorch_model.bin": noise(200_000, seed: 4),
        "unet/diffusion_flax_model.msgpack": noise(5000, seed: 5),
        "text_encoder/config.json": Array("{\"a\": 1}".utf8),
        "text_encoder/model.safetensors.index.json": Array(
            """
            {"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors",
             "b": "model-00002-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}}
            """.utf8),
        "text_encoder/model-00001-of-00002.safetensors": noise(6000, seed: 6),
        "text_encoder/model-00002-of-00002.safetensors": noise(7000, seed: 7),
        "text_encoder/pytorch_model.bin": noise(6000, seed: 8),
        "tokenizer/vocab.json": Array("{\"b\": 1}".utf8),
        "tokenizer/merges.txt": Array("a b\n".utf8),
        "scheduler/scheduler_config.json": Array("{\"c\": 1}".utf8),
        "safety_checker/config.json": Array("{\"d\": 1}".utf8),
        "safety_checker/model.safetensors": noise(5000, seed: 9),
    ]

    /// What is needed of them.
    static let needed = [
        "model_index.json", "scheduler/scheduler_config.json", "safety_checker/config.json",
        "text_encoder/config.json", "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors", "text_encoder/model.safetensors.index.json",
        "tokenizer/merges.txt", "tokenizer/vocab.json", "unet/config.json", unet,
    ].sorted()

    init(_ files: [String: [UInt8]] = TinyHub.files, token: String? = nil) throws {
        hub = try LoopbackHub("org/name", files, token: token)
        cache = NSTemporaryDirectory() + "langevin-hub-\(UUID().uuidString)"
        environment = [
            "HF_ENDPOINT": hub.address, "HF_HUB_CACHE": cache, "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "HF_HOME": cache + ".home",
        ]
    }

    deinit { try? FileManager.default.removeItem(atPath: cache) }

    /// Fetches the model with pauses of a millisecond.
    @discardableResult
    func model(_ name: String = "org/name", revision: String? = nil, variant: String? = nil) throws -> String
    {
        var settings = try HubSettings(environment)
        (settings.firstPause, settings.longestPause) = (0.001, 0.01)
        var hub = Hub(settings)
        hub.onMessage = { self.messages.append($0) }
        hub.onProgress = { self.progress.append($0) }
        return try hub.model(name, revision: revision, variant: variant)
    }

    /// The error of fetching the model; `nil` where it succeeds.
    func error(_ name: String = "org/name", revision: String? = nil, variant: String? = nil) -> HubError? {
        #expect(throws: HubError.self) { try model(name, revision: revision, variant: variant) }
    }

    var snapshot: String { "\(cache)/models--org--name/snapshots/\(hub.commit)" }

    /// The names in a folder of the cache.
    func names(_ folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(cache)/\(folder)"))?.sorted() ?? []
    }

    var blobs: [String] { names("models--org--name/blobs") }

    /// The files of the snapshot that can be read.
    var fetched: [String] { files(below: "") }

    private func files(below folder: String) -> [String] {
        let path = folder.isEmpty ? snapshot : "\(snapshot)/\(folder)"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.flatMap { name -> [String] in
            let inner = folder.isEmpty ? name : "\(folder)/\(name)"
            return Files.isFolder("\(snapshot)/\(inner)") ? files(below: inner) : [inner]
        }.sorted()
    }

    func bytes(_ file: String) -> [UInt8] { (try? Files.read("\(snapshot)/\(file)")) ?? [] }

    /// The bytes of each file that the snapshot has are the hub's, and nothing unfinished has a final name.
    var isSound: Bool {
        fetched.allSatisfy { bytes($0) == Self.files[$0] }
            && blobs.filter { !$0.hasSuffix(".incomplete") }.allSatisfy { blob in
                Self.files.values.contains {
                    (try? Files.read("\(cache)/models--org--name/blobs/\(blob)")) == $0
                }
            }
    }
}

/// Bytes without an order, the same for a seed.
func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state)
    }
}

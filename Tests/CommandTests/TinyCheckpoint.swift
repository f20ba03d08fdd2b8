import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// A Stable Diffusion of a few thousand random parameters: a folder in the diffusers layout, and the same weights under
/// the names of its original layout, for a single file.
struct TinyCheckpoint {
    let folder: TemporaryFolder
    /// The folder in the diffusers layout.
    var path: String { folder("model") }
    /// The weights under the names of the original layout.
    let original: [(String, Tensor)]

    private static let parts: [(part: String, configuration: JSONObject)] = [
        (
            "unet",
            [
                "_class_name": "UNet2DConditionModel", "sample_size": 8, "block_out_channels": [8, 16],
                "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
                "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "layers_per_block": 1,
                "norm_num_groups": 4, "attention_head_dim": 2, "cross_attention_dim": 12,
            ]
        ),
        (
            "vae",
            [
                "_class_name": "AutoencoderKL", "block_out_channels": [8, 8], "latent_channels": 4,
                "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
                "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"], "norm_num_groups": 4,
                "force_upcast": false,
            ]
        ),
        (
            "text_encoder",
            [
                "architectures": ["CLIPTextModel"], "model_type": "clip_text_model", "vocab_size": 1000,
                "hidden_size": 12, "intermediate_size": 24, "num_hidden_layers": 2,
                "num_attention_heads": 3, "max_position_embeddings": 77, "eos_token_id": 2,
            ]
        ),
    ]

    static let scheduler: JSONObject = [
        "_class_name": "DDIMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "beta_start": 0.00085, "clip_sample": false, "num_train_timesteps": 1000,
        "prediction_type": "epsilon", "set_alpha_to_one": false, "steps_offset": 1,
    ]

    init(scheduler: JSONObject = Self.scheduler) throws {
        folder = try TemporaryFolder()
        let path = folder("model")
        var original: [(String, Tensor)] = []
        var index: JSONObject = [
            "_class_name": "StableDiffusionPipeline", "safety_checker": [.null, .null],
            "scheduler": ["diffusers", scheduler["_class_name"]!],
            "tokenizer": ["transformers", "CLIPTokenizer"],
        ]
        for (seed, (part, object)) in Self.parts.enumerated() {
            let type = try KnownNetworks.network(of: object)
            let parameters = try Self.write(type, object, to: "\(path)/\(part)", seed: UInt64(seed))
            let names = OriginalNames(natives: parameters.map(\.0))
            original += parameters.map {
                (names?[$0.0] ?? "cond_stage_model.transformer.\($0.0)", $0.1)
            }
            let library = part == "text_encoder" ? "transformers" : "diffusers"
            index[part] = [.string(library), .string(type.className)]
        }
        self.original = original
        try ModelFolder(path).write(index, to: "model_index.json")
        try FileManager.default.copyItem(
            atPath: fixturePath("tokenizers/clip-sd1"), toPath: path + "/tokenizer")
        // What the tokenizer is to give is no part of it.
        try FileManager.default.removeItem(atPath: path + "/tokenizer/expected.safetensors")
        try ModelFolder(path + "/scheduler").write(scheduler, to: "scheduler_config.json")
    }

    private static func write<Network: ConfiguredNetwork>(
        _ type: Network.Type, _ object: JSONObject, to path: String, seed: UInt64
    ) throws -> [(String, Tensor)] {
        let store = ParameterStore(.initialized(RandomGenerator(seed: seed)))
        let configuration = try type.configuration(object)
        _ = try store.build { try Network(configuration, $0) }
        let parameters = store.named.map { ($0, $1 * ($1.rank > 1 ? 1.7 : 1)) }
        try type.write(configuration, parameters, to: ModelFolder(path))
        return parameters
    }

    /// Changes what a configuration of the folder, or of a copy of it, says.
    func edit(_ file: String, in name: String = "model", _ changes: JSONObject) throws {
        let parts = file.split(separator: "/").map(String.init)
        let place = ModelFolder(folder(([name] + parts.dropLast()).joined(separator: "/")))
        var object = try place.configuration(#require(parts.last), allowsNonFinite: true)
        for (key, value) in changes.members { object[key] = value }
        try place.write(object, to: #require(parts.last))
    }

    /// A copy of the folder.
    func copy(_ name: String) throws -> String {
        try FileManager.default.copyItem(atPath: path, toPath: folder(name))
        return folder(name)
    }

    /// A single file with further tensors.
    func file(_ name: String = "one.safetensors", adding more: [(String, Tensor)] = []) throws -> String {
        try folder.write(name, SafetensorsWriter(original + more).bytes())
    }

    /// What `generate` makes of a model: latents, and what was said.
    func latents(_ model: String, _ options: String..., prompt: String = "a cat on a mat") throws -> (
        values: [Float], messages: String
    ) {
        let output = folder("out.safetensors")
        let outcome = try Program.run(Self.request(model, output, prompt) + options)
        try #require(outcome.code == 0, "\(outcome.messages)")
        let values = try SafetensorsFile(path: output, storage: .copied).tensor(named: "samples")
        return (try values.array(of: Float.self), outcome.messages)
    }

    /// The pixels that `generate` makes.
    func pixels(_ model: String, _ options: String...) throws -> [UInt8] {
        let output = folder("out.png")
        let outcome = try Program.run(Self.request(model, output, "a cat on a mat") + options)
        try #require(outcome.code == 0, "\(outcome.messages)")
        return try Picture(contentsOf: URL(fileURLWithPath: output), limit: Picture.requestLimit).pixels
    }

    static func request(_ model: String, _ output: String, _ prompt: String = "a cat") -> [String] {
        [
            "generate", prompt, "--model", model, "-o", output, "--steps", "3", "--seed", "5", "--width",
            "16",
            "--height", "16",
        ]
    }

    /// Expects `generate` to refuse a model.
    func expectRefused(
        _ model: String, _ options: String..., saying words: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let output = folder("never.png")
        try Program.expectRefused(
            Self.request(model, output) + options, words, sourceLocation: sourceLocation)
        #expect(!FileManager.default.fileExists(atPath: output), sourceLocation: sourceLocation)
    }
}

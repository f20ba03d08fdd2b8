import Checkpoints
import Diffusers
import Diffusion
import Foundation
import Layers
import Networks
import Pipelines
import Storage
import Tensors
import TestSupport

/// A Stable Diffusion of a few thousand random parameters, written as a folder in the diffusers layout.
struct TinyStableDiffusion {
    let folder: TemporaryFolder
    var path: String { folder("model") }

    /// - Parameters:
    ///   - inputs: channels that the U-Net takes: 4, or 9 for inpainting.
    ///   - change: changes a part's parameters before they are written.
    init(
        _ scheduler: SchedulerClass = .ddim, inputs: Int = 4,
        changing change: (_ part: String, _ name: String, _ values: Tensor) -> Tensor = { $2 }
    ) throws {
        folder = try TemporaryFolder()
        func write<Network: ConfiguredNetwork>(
            _ type: Network.Type, _ configuration: Network.Configuration, _ part: String, seed: UInt64
        ) throws {
            let store = ParameterStore(.initialized(RandomGenerator(seed: seed)))
            _ = try store.build { try Network(configuration, $0) }
            let parameters = store.named.map { ($0, change(part, $0, $1 * ($1.rank > 1 ? 1.7 : 1))) }
            try type.write(configuration, parameters, to: ModelFolder(path + "/" + part))
        }
        try write(UNet2DCondition.self, Self.unet(inputs), "unet", seed: 1)
        try write(AutoencoderKL.self, Self.autoencoder, "vae", seed: 2)
        try write(CLIPText.self, Self.text, "text_encoder", seed: 3)
        try FileManager.default.copyItem(
            atPath: fixturePath("tokenizers/clip-sd1"), toPath: path + "/tokenizer")
        var process = SchedulerConfiguration(scheduler)
        process.betaSchedule = .scaledLinear
        (process.betaStart, process.betaEnd) = (0.00085, 0.012)
        try ModelFolder(path + "/scheduler").write(
            JSONObject(encoding: process), to: "scheduler_config.json")
        let index: JSONObject = [
            "_class_name": "StableDiffusionPipeline",
            "scheduler": ["diffusers", .string(scheduler.rawValue)],
            "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"], "safety_checker": [.null, .null],
        ]
        try ModelFolder(path).write(index, to: "model_index.json")
    }

    static func unet(_ inputs: Int) -> UNet2DConditionConfiguration {
        var configuration = UNet2DConditionConfiguration()
        configuration.sampleSize = .square(8)
        configuration.inChannels = inputs
        configuration.blockOutChannels = [8, 16]
        configuration.downBlockTypes = [.crossAttention, .plain]
        configuration.upBlockTypes = [.plain, .crossAttention]
        configuration.layersPerBlock = .same(1)
        configuration.normNumGroups = 4
        configuration.attentionHeadDim = .same(2)
        configuration.crossAttentionDim = .same(12)
        return configuration
    }

    static var autoencoder: AutoencoderKLConfiguration {
        var configuration = AutoencoderKLConfiguration()
        configuration.coder.blockOutChannels = [8, 8]
        configuration.coder.downBlockTypes = [.plain, .plain]
        configuration.coder.upBlockTypes = [.plain, .plain]
        configuration.coder.normNumGroups = 4
        configuration.forceUpcast = false
        return configuration
    }

    static var text: CLIPTextConfiguration {
        var configuration = CLIPTextConfiguration()
        configuration.vocabSize = 1000
        (configuration.hiddenSize, configuration.intermediateSize) = (12, 24)
        (configuration.numHiddenLayers, configuration.numAttentionHeads) = (3, 3)
        configuration.eosTokenId = 2
        return configuration
    }

    func model(_ type: ElementType = .float32, memory: MemoryOptions = MemoryOptions()) throws
        -> Model
    {
        var options = ModelOptions()
        (options.elementType, options.memory) = (type, memory)
        return try Model(path, options)
    }

    /// A request of few steps.
    static func request(_ change: (inout Request) -> Void = { _ in }) -> Request {
        var request = Request()
        request.prompt = "a cat on a mat"
        (request.steps, request.seed) = (4, 11)
        (request.height, request.width) = (16, 24)
        change(&request)
        return request
    }

    func latents(
        _ type: ElementType = .float32, memory: MemoryOptions = MemoryOptions(),
        changing change: (inout Request) -> Void = { _ in }
    ) throws -> Tensor {
        try model(type, memory: memory).run(Self.request(change)).samples()
    }
}

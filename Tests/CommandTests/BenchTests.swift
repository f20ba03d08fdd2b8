import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// The works of `bench` on networks of a few thousand parameters.
@Suite struct BenchTests {
    private static let unet = """
        {"_class_name": "UNet2DConditionModel", "sample_size": 8, "cross_attention_dim": 8,
         "block_out_channels": [8, 16], "layers_per_block": 1, "attention_head_dim": 2, "norm_num_groups": 4,
         "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
         "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"]}
        """
    private static let transformer = """
        {"_class_name": "DiTTransformer2DModel", "num_attention_heads": 2, "attention_head_dim": 4,
         "out_channels": 8, "num_layers": 1, "sample_size": 8, "num_embeds_ada_norm": 5}
        """
    private static let autoencoder = """
        {"_class_name": "AutoencoderKL", "block_out_channels": [8, 8], "norm_num_groups": 4, "sample_size": 16,
         "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
         "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}
        """
    private static let pictures = """
        {"_class_name": "UNet2DModel", "sample_size": 8, "block_out_channels": [8, 8], "layers_per_block": 1,
         "norm_num_groups": 4, "down_block_types": ["DownBlock2D", "DownBlock2D"],
         "up_block_types": ["UpBlock2D", "UpBlock2D"]}
        """

    /// Writes a network with random weights, and hands it out.
    private func written<Network: ConfiguredNetwork>(
        _: Network.Type, _ text: String, to path: String
    ) throws -> Network {
        let object = try #require(JSONObject(json: JSONValue(parsing: text.utf8, place: "test")))
        let configuration = try Network.configuration(object)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        _ = try store.build { try Network(configuration, $0) }
        for parameter in store.parameters {
            try parameter.assign(parameter + RandomGenerator(seed: 4).normal(parameter.shape) * 0.1)
        }
        try Network.write(configuration, store.named, to: ModelFolder(path))
        return try Network.load(ModelFolder(path)).network
    }

    /// Runs a work on a folder and inputs, and hands out what it left.
    private func left(
        _ work: String, _ folder: TemporaryFolder, _ inputs: [String: Tensor], dtype: String = "float32"
    ) throws -> Tensor {
        try SafetensorsWriter(inputs.sorted { $0.key < $1.key }).write(to: folder("in.safetensors"))
        let outcome = try Program.run(
            "bench", work, "--weights", folder("net"), "--inputs", folder("in.safetensors"), "--output",
            folder("out.safetensors"), "--rounds", "2", "--dtype", dtype, "--json")
        #expect(outcome.code == 0, "\(outcome.messages)")
        let json = try outcome.json()
        #expect(json["work"] as? String == work && json["dtype"] as? String == dtype)
        #expect(try #require(json["median_ms"] as? Double) > 0)
        return try SafetensorsFile(path: folder("out.safetensors")).tensor(named: "output")
    }

    @Test func theTextUNetAnswersAsTheLibraryDoes() throws {
        let (folder, draw) = (try TemporaryFolder(), RandomGenerator(seed: 7))
        let network = try written(UNet2DCondition.self, Self.unet, to: folder("net"))
        let (x, context) = (draw.normal([2, 4, 8, 8]), draw.normal([2, 77, 8]))
        let inputs = ["x": x, "time": Tensor([3, 900]), "context": context]
        let expected = inference { network(x, time: Tensor([3, 900]), .init(context: context)) }
        let found = try left("sd15-unet", folder, inputs)
        expectClose(found, expected, relative: 1e-4, absolute: 1e-5)
        let half = try left("sd15-unet", folder, inputs, dtype: "bfloat16")
        expectClose(half, expected, relative: 0, absolute: 0.2)
    }

    /// Buffers are kept and used again: steps after the first ask the system for no memory. (A thread that is late in
    /// the first steps touches its share of them in a later one, once.)
    @Test func stepsTakeNoFreshMemory() throws {
        let folder = try TemporaryFolder()
        _ = try written(UNet2DCondition.self, Self.unet, to: folder("net"))
        for dtype in ["float32", "bfloat16"] {
            let outcome = try Program.run(
                "bench", "sd15-unet", "--weights", folder("net"), "--rounds", "50", "--dtype", dtype,
                "--json")
            let pages = try #require(try outcome.json()["fresh_pages"] as? Int)
            #expect(pages <= 2, "\(dtype): \(pages) fresh pages a step")
        }
    }

    @Test func theTransformerAnswersAsTheLibraryDoes() throws {
        let folder = try TemporaryFolder()
        let network = try written(DiT.self, Self.transformer, to: folder("net"))
        let x = RandomGenerator(seed: 7).normal([2, 4, 8, 8])
        let inputs = ["x": x, "time": Tensor([3, 900]), "labels": Tensor([1, 5])]
        let expected = inference { network(x, time: Tensor([3, 900]), labels: Tensor([1, 5])) }
        expectClose(try left("dit-xl2", folder, inputs), expected, relative: 1e-4, absolute: 1e-5)
    }

    /// One step of networks of pictures, under classes and under what texts become.
    @Test(arguments: ["adm-64", "glide-base", "if-i-m"])
    func stepsOfPicturesAnswerAsTheLibraryDoes(_ work: String) throws {
        let (folder, draw) = (try TemporaryFolder(), RandomGenerator(seed: 7))
        let (x, time) = (draw.normal([2, 3, 8, 8]), Tensor([3, 900]))
        var (inputs, conditions) = (["x": x, "time": time], Conditions())
        if work == "adm-64" {
            conditions[.labels] = Tensor([1, 4])
            inputs["labels"] = Tensor([1, 4])
        } else {
            conditions[.context] = draw.normal([2, work == "if-i-m" ? 77 : 128, 8])
            inputs["context"] = conditions[.context]
        }
        if work == "glide-base" {
            conditions[.labels] = draw.normal([2, 32])
            inputs["labels"] = conditions[.labels]
        }
        let network: any NoiseNetwork =
            try work == "adm-64"
            ? written(
                UNet2D.self,
                Self.pictures.replacing("\"sample_size\"", with: "\"num_class_embeds\": 5, \"sample_size\""),
                to: folder("net"))
            : written(
                UNet2DCondition.self,
                Self.unet.replacing(
                    "\"sample_size\"",
                    with: work == "glide-base"
                        ? "\"in_channels\": 3, \"class_embed_type\": \"identity\", \"sample_size\""
                        : "\"in_channels\": 3, \"encoder_hid_dim\": 8, \"sample_size\""),
                to: folder("net"))
        let expected = inference { network(x, time: time, conditions, dropout: nil) }
        expectClose(try left(work, folder, inputs), expected, relative: 1e-4, absolute: 1e-5)
    }

    @Test func theDecoderAnswersAsTheLibraryDoes() throws {
        let folder = try TemporaryFolder()
        let network = try written(AutoencoderKL.self, Self.autoencoder, to: folder("net"))
        let x = RandomGenerator(seed: 7).normal([1, 4, 8, 8])
        let expected = inference { network.decode(x) }
        expectClose(try left("sd-vae-decoder", folder, ["x": x]), expected, relative: 1e-4, absolute: 1e-5)
    }

    @Test func thePictureUNetAnswersAndLearns() throws {
        let (folder, draw) = (try TemporaryFolder(), RandomGenerator(seed: 7))
        let network = try written(UNet2D.self, Self.pictures, to: folder("net"))
        let (x, time) = (draw.normal([64, 3, 8, 8]), draw.integers([64], in: 0..<1000))
        let expected = inference { network(x, time: time) }
        let found = try left("ddpm-cifar-forward", folder, ["x": x, "time": time])
        expectClose(found, expected, relative: 1e-4, absolute: 1e-5)
        let batch = ["x": draw.normal([32, 3, 8, 8]), "noise": draw.normal([32, 3, 8, 8])]
        let gradient = try left(
            "ddpm-cifar-train", folder, batch.merging(["time": draw.integers([32], in: 0..<1000)]) { $1 })
        #expect(gradient.shape == [8, 3, 3, 3])
        #expect(try gradient.squared().sum().item() > 0)
    }

    @Test func sizesComeFromTheFolderAndInputsAreDrawn() throws {
        let folder = try TemporaryFolder()
        _ = try written(UNet2DCondition.self, Self.unet, to: folder("net"))
        for work in ["sd15-unet", "sd15-open"] {
            let outcome = try Program.run("bench", work, "--weights", folder("net"), "--rounds", "1")
            #expect(outcome.code == 0, "\(outcome.messages)")
            #expect(outcome.output.contains(work))
        }
    }

    @Test func whatDoesNotFitIsRefused() throws {
        let folder = try TemporaryFolder()
        _ = try written(UNet2DCondition.self, Self.unet, to: folder("net"))
        try SafetensorsWriter([("x", Tensor.zeros([1, 4, 8, 8]))]).write(to: folder("in.safetensors"))
        let (weights, inputs) = (["--weights", folder("net")], ["--inputs", folder("in.safetensors")])
        try Program.expectRefused(["bench", "sd15-unet"] + weights + inputs, "'x' has the shape")
        try Program.expectRefused(["bench", "dit-xl2"] + weights, "UNet2DConditionModel")
        try Program.expectRefused(["bench", "sd15-unet", "--weights", folder("none")], "no such folder")
        try Program.expectRefused(
            ["bench", "sd15-unet"] + weights + ["--output", "x.png"], "--output x.png")
        try Program.expectRefused(["bench", "solver-euler"] + inputs, "no use for it")
        try Program.expectRefused(["bench", "sd15-open"], "--weights")
        try SafetensorsWriter([("x", Tensor.zeros([2, 4, 8, 8]))]).write(to: folder("in.safetensors"))
        try Program.expectRefused(["bench", "sd15-unet"] + weights + inputs, "no tensor 'time'")
    }
}

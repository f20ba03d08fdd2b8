import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import Testing

/// The configurations that stand in for those a single file does not have.
@Suite struct PublishedFamilyTests {
    private static let counts: [CheckpointFamily: [ModelComponent: Int]] = [
        .stableDiffusion1: [.unet: 859_520_964, .vae: 83_653_863, .textEncoder: 123_060_480],
        .stableDiffusion1Inpainting: [.unet: 859_535_364, .vae: 83_653_863, .textEncoder: 123_060_480],
        .stableDiffusion2: [.unet: 865_910_724, .vae: 83_653_863, .textEncoder: 340_387_840],
        .stableDiffusion2Inpainting: [.unet: 865_925_124, .vae: 83_653_863, .textEncoder: 340_387_840],
        .stableDiffusionXL: [
            .unet: 2_567_463_684, .vae: 83_653_863, .textEncoder: 123_060_480, .textEncoder2: 694_659_840,
        ],
        .stableDiffusionXLRefiner: [
            .unet: 2_259_526_660, .vae: 83_653_863, .textEncoder2: 694_659_840,
        ],
        .stableDiffusion3Medium: sd3(2_028_328_000),
        .stableDiffusion35Medium: sd3(2_243_171_520),
        .stableDiffusion35Large: sd3(8_056_627_520),
        .latentDiffusionVQ4: [.unet: 274_056_163, .vqvae: 55_322_782],
        .latentDiffusionVQ8: [.unet: 394_984_196, .vqvae: 67_717_295, .classEmbedder: 512_000],
        .upscaler4: [.unet: 473_398_020, .vae: 55_325_927, .textEncoder: 340_387_840],
        .diffusionTransformer: [.transformer: 749_826_464], .guidedDiffusion: [.unet: 553_838_086],
        .esrgan: [.upscaler: 16_697_987], .swinIR: [.upscaler: 11_900_199],
        .guidedDiffusionUpsampler: [.unet: 311_795_910],
        .guidedDiffusionClassifier: [.classifier: 54_096_360], .glide: [.unet: 385_030_726],
        .glideInpainting: [.unet: 385_037_638], .glideUpsampler: [.unet: 398_361_286],
        .glideInpaintingUpsampler: [.unet: 398_368_198],
    ]

    private static func sd3(_ transformer: Int) -> [ModelComponent: Int] {
        [
            .transformer: transformer, .vae: 83_819_683, .textEncoder: 123_650_304,
            .textEncoder2: 694_659_840, .textEncoder3: 4_762_310_656,
        ]
    }

    @Test(arguments: CheckpointFamily.allCases)
    func everyComponentHasItsPublishedCount(_ family: CheckpointFamily) throws {
        let configurations = family.configurations(Self.dit(width: 1152, layers: 28))
        let networks = configurations.filter { !$0.key.isSchedule }
        let found = try networks.mapValues {
            try KnownNetworks.network(of: $0).shapes($0).parameterCount
        }
        #expect(found == Self.counts[family])
    }

    /// The sizes S, B and L of the paper follow from the tensors of the file.
    @Test(arguments: [(384, 12, 39_805_088), (768, 12, 147_439_904), (1024, 24, 511_609_888)])
    func smallerTransformersAreMeasured(_ width: Int, _ layers: Int, _ count: Int) throws {
        let source = Self.dit(width: width, layers: layers)
        let configuration = try #require(
            CheckpointFamily.diffusionTransformer.configurations(source)[.transformer])
        #expect(try DiT.shapes(configuration).parameterCount == count)
    }

    /// The tensors from which the sizes of a transformer follow.
    private static func dit(width: Int, layers: Int) -> TensorDictionary {
        var tensors = [
            "x_embedder.proj.weight": Tensor.empty([width, 4, 2, 2], on: .meta),
            "final_layer.linear.weight": Tensor.empty([32, width], on: .meta),
            "y_embedder.embedding_table.weight": Tensor.empty([1001, width], on: .meta),
            "pos_embed": Tensor.empty([1, 256, width], on: .meta),
        ]
        for i in 0..<layers { tensors["blocks.\(i).attn.proj.bias"] = Tensor.empty([width], on: .meta) }
        return TensorDictionary(tensors)
    }

    @Test func whatIsNotKnownIsNamed() throws {
        for (object, words) in [
            (["_class_name": "../Evil"] as JSONObject, #""../Evil" is not known"#),
            (["architectures": []], "names no network"), ([:], "names no network"),
        ] {
            let error = #expect(throws: CheckpointError.self) { try KnownNetworks.network(of: object) }
            #expect(error?.problem.contains(words) == true)
        }
        #expect(KnownNetworks.network(named: "Transformer2DModel") == DiT.self)
    }

    @Test func aClassBecomesItsRow() throws {
        let weights = Tensor((0..<12).map(Float.init)).reshaped([4, 3])
        let configuration = ClassEmbedderConfiguration(classes: 4, width: 3)
        let store = ParameterStore(.loaded(TensorDictionary(["embedding.weight": weights])))
        let network = try store.build { try ClassEmbedder(configuration, $0) }
        let states = network(Tensor([2, 0] as [Int64]))
        #expect(states.shape == [2, 1, 3])
        #expect(try states.array(of: Float.self) == [6, 7, 8, 0, 1, 2])
        let object = try ClassEmbedder.json(configuration)
        #expect(try ClassEmbedder.configuration(object) == configuration)
        var wrong = object
        wrong["n_classes"] = 0
        #expect(throws: CheckpointError.self) { try ClassEmbedder.shapes(wrong) }
    }
}

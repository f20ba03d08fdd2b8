import Checkpoints
import Diffusion
import Layers
import Networks
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// A file of OpenAI's guided diffusion is a model like the folder that it becomes.
@Suite struct GuidedDiffusionFileTests {
    /// A small network of four levels.
    private let configuration = JSONObject([
        ("_class_name", "UNet2DModel"), ("block_out_channels", [32, 64, 64, 64]), ("layers_per_block", 1),
        (
            "down_block_types",
            ["ResnetDownsampleBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"]
        ),
        ("up_block_types", ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"]),
        ("attention_head_dim", 64), ("attn_norm_num_groups", 32), ("downsample_type", "resnet"),
        ("upsample_type", "resnet"), ("out_channels", 6), ("num_class_embeds", 4), ("sample_size", 64),
        ("resnet_time_scale_shift", "scale_shift"),
    ])
    private let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))

    init() throws {
        let configuration = configuration
        _ = try store.build { try UNet2D(UNet2D.configuration(configuration), $0) }
    }

    /// The network's file as that code writes it.
    private func write(to path: String) throws {
        let natives = store.named.map(\.0)
        let unet = try #require(CompVisUNet(natives: natives))
        let layout = unet.layout(prefix: "", heads: .byPart)
        var tensors: [String: Tensor] = [:]
        var parts: [String: [Int: Tensor]] = [:]
        for (name, tensor) in store.named {
            let (foreign, view) = try #require(layout.foreign(for: name), "\(name)")
            switch view {
            case .matrixPart(let index, _): parts[foreign, default: [:]][index] = tensor
            case .matrix: tensors[foreign] = tensor.rank == 2 ? tensor.unsqueezed(2) : tensor
            default: tensors[foreign] = tensor
            }
        }
        for (name, three) in parts {
            let whole = concatenated((0..<3).map { three[$0]! })
            tensors[name] = whole.rank == 2 ? whole.unsqueezed(2) : whole
        }
        try SafetensorsWriter(tensors.sorted { $0.key < $1.key }).write(to: path)
    }

    @Test func theFileGivesThePicturesOfItsFolder() throws {
        let folder = try TemporaryFolder()
        let path = folder("64x64_diffusion.safetensors")
        try write(to: path)
        let source = try ModelSource(path)
        #expect(source.file?.family == .guidedDiffusion)
        try ModelLayout(folder("model")).write(
            NetworkConfiguration(configuration), process: source.process(), card: ModelCard(),
            parameters: store.named)
        var request = Request()
        (request.steps, request.classes, request.width, request.height) = (2, .one(3), 16, 16)
        func samples(_ model: String) throws -> Tensor { try Model(model).run(request).samples() }
        let found = try samples(path)
        #expect(found.shape == [1, 3, 16, 16])
        #expect(try found.isIdentical(to: samples(folder("model"))))
    }
}

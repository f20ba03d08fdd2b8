import Checkpoints
import Foundation
import Networks
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

@Suite struct LayerTableTests {
    /// The ConvNeXt U-Net of the annotated article: rows and counts of its table, and shapes that halve and double.
    @Test func theAnnotatedNetworkIsListed() throws {
        let table = try LayerTable(["_class_name": "AnnotatedUNet"])
        #expect(table.parameters == 2_996_315)
        func row(_ name: String) throws -> LayerTable.Row {
            try #require(table.rows.first { $0.name == name }, "\(name)")
        }
        #expect(try row("downs.0").parameters == 26_882 + 33_040 + 14_476 + 12_572)
        #expect(try row("downs.0.0").parameters == 26_882 && row("downs.0.0").depth == 2)
        let first = try row("init_conv")
        #expect(first.kind == "Conv2d" && first.output == [1, 18, 32, 32] && first.parameters == 900)
        #expect(try row("time_mlp.1").kind == "Linear" && row("time_mlp.1").output == [1, 112])
        #expect(try row("mid_block1.ds_conv").output?.suffix(2) == [8, 8])
        #expect(table.rows.filter { $0.depth == 0 }.reduce(0) { $0 + $1.parameters } == table.parameters)
    }

    /// Every layer with parameters of every known network shows what it gives, and the counts are those of `inspect`.
    @Test(arguments: [
        #"{"_class_name": "UNet2DModel", "sample_size": 16, "block_out_channels": [8, 16], "norm_num_groups": 4, "num_class_embeds": 3, "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]}"#,
        #"{"_class_name": "UNet2DConditionModel", "sample_size": 8, "block_out_channels": [8, 16], "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 2, "cross_attention_dim": 12}"#,
        #"{"_class_name": "DiTTransformer2DModel", "sample_size": 8, "num_layers": 2}"#,
        #"{"_class_name": "SD3Transformer2DModel", "sample_size": 16, "num_layers": 2, "num_attention_heads": 2, "attention_head_dim": 16, "caption_projection_dim": 32, "joint_attention_dim": 24, "pooled_projection_dim": 20}"#,
        #"{"_class_name": "MLP"}"#, #"{"_class_name": "ResNet"}"#,
        #"{"_class_name": "AutoencoderKL", "sample_size": 32}"#,
        #"{"_class_name": "VQModel"}"#, #"{"_class_name": "AutoencoderTiny"}"#,
    ])
    func everyLayerHasAShape(text: String) throws {
        let object = try #require(JSONObject(json: JSONValue(parsing: text.utf8, place: "a test")))
        let network = try KnownNetworks.network(of: object)
        let table = try LayerTable(object)
        #expect(table.parameters == (try network.shapes(object)).parameterCount)
        let names = Set(table.rows.map(\.name))
        let leaves = table.rows.filter { row in !names.contains { $0.hasPrefix(row.name + ".") } }
        #expect(leaves.count > 3)
        let unseen = leaves.filter { $0.output == nil }.map(\.name)
        // Tables of places and single parameters are no layers.
        #expect(unseen.count <= leaves.count / 8, "\(unseen)")
    }

    /// A network that is too large to be run is listed without shapes.
    @Test func largeNetworksAreListed() throws {
        let table = try LayerTable(["_class_name": "UNet2DConditionModel", "cross_attention_dim": 768])
        #expect(table.parameters == 859_520_964)
        #expect(table.rows.count > 500 && table.rows.allSatisfy { $0.output == nil })
        #expect(table.rows.first { $0.name == "conv_in" }?.kind == "Conv2d")
    }
}

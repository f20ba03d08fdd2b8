import Checkpoints
import Layers
import Storage
import Tensors
import Testing

/// The sizes of OpenAI's networks follow from the names and shapes of their files.
@Suite struct GuidedDiffusionTests {
    /// The file of a network: names and shapes of the tensors that decide, and those that names are counted by.
    private func source(
        channels: [Int], layers: Int, attention: [Bool], outputs: Int = 6, classes: Int? = 1000,
        inputs: Int = 3, features: Int? = nil, isImproved: Bool = false
    ) -> ShapeSource {
        let features = features ?? channels[0]
        var tensors: [(String, Shape)] = [
            ("time_embed.0.weight", [4 * features, features]),
            ("input_blocks.0.0.weight", [channels[0], inputs, 3, 3]),
            ("out.2.weight", [outputs, channels[0], 3, 3]),
            ("input_blocks.1.0.emb_layers.1.weight", [2 * channels[0], 4 * channels[0]]),
            ("middle_block.1.qkv.weight", [3 * channels.last!, channels.last!, 1]),
        ]
        if let classes { tensors.append(("label_emb.weight", [classes, 4 * channels[0]])) }
        let last = channels.count - 1
        for level in channels.indices {
            // What halves has the names of one layer more.
            if isImproved, level < last {
                tensors.append(
                    (
                        "input_blocks.\((level + 1) * (layers + 1)).0.op.weight",
                        [channels[level], channels[level], 3, 3]
                    ))
            }
            for layer in 0..<layers + (level < last && !isImproved ? 1 : 0) {
                let block = "input_blocks.\(1 + level * (layers + 1) + layer)"
                tensors.append(("\(block).0.in_layers.0.weight", [channels[level]]))
                tensors.append(("\(block).0.out_layers.3.weight", [channels[level], channels[level], 3, 3]))
                if attention[level], layer < layers {
                    tensors.append(("\(block).1.qkv.weight", [3 * channels[level], channels[level], 1]))
                }
            }
            for layer in 0...layers {
                let block = "output_blocks.\((last - level) * (layers + 1) + layer)"
                tensors.append(("\(block).0.in_layers.0.weight", [2 * channels[level]]))
                if attention[level] {
                    tensors.append(("\(block).1.qkv.weight", [3 * channels[level], channels[level], 1]))
                }
                if level > 0, layer == layers, !isImproved {
                    tensors.append(
                        ("\(block).\(attention[level] ? 2 : 1).in_layers.0.weight", [channels[level]]))
                }
            }
        }
        return ShapeSource(tensors)
    }

    @Test(arguments: [
        ([192, 384, 576, 768], 3, [false, true, true, true], 64, "squaredcos_cap_v2"),
        ([256, 256, 512, 768, 1024], 2, [false, false, true, true, true], 128, "linear"),
        ([256, 256, 512, 512, 1024, 1024], 2, [false, false, false, true, true, true], 256, "linear"),
    ])
    func sizesFollowFromTheFile(
        _ channels: [Int], _ layers: Int, _ attention: [Bool], _ size: Int, _ table: String
    ) throws {
        let source = source(channels: channels, layers: layers, attention: attention)
        #expect(CheckpointRecognition(source) == .family(.guidedDiffusion))
        let found = try SingleFileCheckpoint(source).configurations()
        let unet = try #require(found[.unet])
        #expect(try unet.required("block_out_channels", as: [Int].self) == channels)
        #expect(try unet.required("layers_per_block", as: Int.self) == layers)
        #expect(try unet.required("sample_size", as: Int.self) == size)
        #expect(try unet.required("out_channels", as: Int.self) == 6)
        let blocks = try unet.required("down_block_types", as: [String].self)
        #expect(blocks == attention.map { $0 ? "AttnDownBlock2D" : "ResnetDownsampleBlock2D" })
        #expect(try found[.scheduler]?.required("beta_schedule", as: String.self) == table)
        #expect(try found[.scheduler]?.required("variance_type", as: String.self) == "learned_range")
        let layout = try #require(CheckpointFamily.guidedDiffusion.layouts(source.names).first?.layout)
        let attended = 1 + attention.firstIndex(of: true)! * (layers + 1)
        let views = layout.natives(for: "input_blocks.\(attended).1.qkv.weight").map(\.view)
        let expected: (Int) -> TensorView = { part in
            // The network of 128 pixels was published with four heads.
            [64: .matrixPart(part), 128: .headShare(part, heads: 4)][size] ?? .headPart(part, width: 64)
        }
        #expect(views == (0..<3).map(expected))
        #expect(
            layout.natives(for: "input_blocks.\(layers + 1).0.in_layers.2.weight").map(\.name)
                == ["down_blocks.0.downsamplers.0.conv1.weight"])
    }

    /// The first level of the network of 512 pixels has half of the features of its time, iDDPM's networks halve by
    /// convolutions and count their 4,000 times as 1,000, upsamplers have a small picture beside the noisy one.
    @Test func whatDiffusersDoesNotDescribeIsANetworkOfItsOwn() throws {
        func configurations(_ source: ShapeSource, _ family: CheckpointFamily) throws -> (
            JSONObject, JSONObject
        ) {
            #expect(CheckpointRecognition(source) == .family(family))
            let found = try SingleFileCheckpoint(source).configurations()
            return (try #require(found[.unet]), try #require(found[.scheduler]))
        }
        let (large, _) = try configurations(
            source(
                channels: [128, 256, 256, 512, 512, 1024, 1024], layers: 2,
                attention: [false, false, false, false, true, true, true], features: 256), .guidedDiffusion)
        #expect(
            large["_class_name"] == "ADMUNet2D" && large["sample_size"] == 512
                && large["time_features"] == 256)
        #expect(large["attention_head_dim"] == 64 && large["low_resolution_factor"] == nil)

        for (attention, side) in [([false, false, true, true], 64), ([false, true, true, false], 32)] {
            let (network, schedule) = try configurations(
                source(
                    channels: [128, 256, 256, 256], layers: 3, attention: attention, classes: nil,
                    isImproved: true),
                .guidedDiffusion)
            #expect(network["sample_size"] == .integer(side) && network["num_attention_heads"] == 4)
            #expect(network["downsample_type"] == "conv" && network["time_scale"] == .number(0.25))
            #expect(
                schedule["num_train_timesteps"] == 4000 && schedule["beta_schedule"] == "squaredcos_cap_v2")
        }
        let channels = [192, 192, 384, 384, 768, 768]
        let (quarter, schedule) = try configurations(
            source(
                channels: channels, layers: 2, attention: [false, false, false, true, true, true], inputs: 6),
            .guidedDiffusionUpsampler)
        #expect(quarter["sample_size"] == 256 && quarter["low_resolution_factor"] == 4)
        #expect(quarter["num_attention_heads"] == 4 && quarter["in_channels"] == 3)
        #expect(schedule["beta_schedule"] == "linear" && schedule["variance_type"] == "learned_range")
        let (half, _) = try configurations(
            source(
                channels: channels, layers: 2, attention: [false, false, false, false, true, true], inputs: 6),
            .guidedDiffusionUpsampler)
        #expect(half["sample_size"] == 512 && half["attention_head_dim"] == 64)
    }

    /// The heads that a folder of configurations gives come first.
    @Test func describedHeadsAreTaken() throws {
        let source = source(
            channels: [256, 256, 512, 512, 1024, 1024], layers: 2,
            attention: [false, false, false, true, true, true])
        let layout = try #require(
            CheckpointFamily.guidedDiffusion.layouts(source.names, heads: .width(32)).first?.layout)
        let views = layout.natives(for: "input_blocks.10.1.qkv.weight").map(\.view)
        #expect(views == (0..<3).map { .headPart($0, width: 32) })
        let whole = Tensor((0..<24).map(Float.init), shape: [12, 2, 1])
        for part in 0..<3 {
            #expect(
                try TensorView.headShare(part, heads: 2)(whole).isIdentical(
                    to: TensorView.headPart(part, width: 2)(whole)))
            #expect(TensorView.headShare(part, heads: 2).shape(in: whole.shape) == [4, 2])
        }
        #expect(TensorView.headShare(0, heads: 5).shape(in: [12, 2, 1]) == nil)
    }

    /// Classifiers have no last convolution.
    @Test func othersOfTheSameCodeAreNotTakenForThem() throws {
        let attention = [false, true, true, true]
        let whole = source(channels: [192, 384, 576, 768], layers: 3, attention: attention)
        let other = whole.filtered { $0 != "out.2.weight" }
        #expect(CheckpointRecognition(other) != .family(.guidedDiffusion))
    }

    /// The newer order has all heads of the queries first.
    @Test func matrixPartsAreThirds() throws {
        let whole = Tensor((0..<12).map(Float.init), shape: [6, 2, 1])
        for index in 0..<3 {
            let seen = TensorView.matrixPart(index)(whole)
            #expect(seen.shape == [2, 2] && TensorView.matrixPart(index).shape(in: whole.shape) == [2, 2])
            #expect(try seen.array(of: Float.self) == (0..<4).map { Float(4 * index + $0) })
        }
        #expect(TensorView.matrixPart(0).shape(in: [4, 2, 1]) == nil)
        #expect(TensorView.matrixPart(0).shape(in: [6, 2, 3]) == nil)
    }
}

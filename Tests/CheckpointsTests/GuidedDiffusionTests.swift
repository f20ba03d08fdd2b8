import Checkpoints
import Layers
import Storage
import Tensors
import Testing

/// The sizes of OpenAI's networks follow from the names and shapes of their files.
@Suite struct GuidedDiffusionTests {
    /// The file of a network: names and shapes of the tensors that decide, and those that names are counted by.
    private func source(
        channels: [Int], layers: Int, attention: [Bool], outputs: Int = 6, classes: Int? = 1000
    ) -> ShapeSource {
        var tensors: [(String, Shape)] = [
            ("time_embed.0.weight", [4 * channels[0], channels[0]]),
            ("input_blocks.0.0.weight", [channels[0], 3, 3, 3]),
            ("out.2.weight", [outputs, channels[0], 3, 3]),
            ("input_blocks.1.0.emb_layers.1.weight", [2 * channels[0], 4 * channels[0]]),
            ("middle_block.1.qkv.weight", [3 * channels.last!, channels.last!, 1]),
        ]
        if let classes { tensors.append(("label_emb.weight", [classes, 4 * channels[0]])) }
        let last = channels.count - 1
        for level in channels.indices {
            // What halves has the names of one layer more.
            for layer in 0..<layers + (level < last ? 1 : 0) {
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
                if level > 0, layer == layers {
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
        #expect(views == (0..<3).map { size == 64 ? .matrixPart($0) : .headPart($0, width: 64) })
        #expect(
            layout.natives(for: "input_blocks.\(layers + 1).0.in_layers.2.weight").map(\.name)
                == ["down_blocks.0.downsamplers.0.conv1.weight"])
    }

    /// Upsamplers have a small picture beside the noisy one, and classifiers no last convolution.
    @Test func othersOfTheSameCodeAreNotTakenForThem() throws {
        let attention = [false, true, true, true]
        let whole = source(channels: [192, 384, 576, 768], layers: 3, attention: attention)
        let upsampler = whole.filtered { $0 != "input_blocks.0.0.weight" }.adding([
            ("input_blocks.0.0.weight", [192, 6, 3, 3])
        ])
        for other in [upsampler, whole.filtered { $0 != "out.2.weight" }] {
            #expect(CheckpointRecognition(other) != .family(.guidedDiffusion))
        }
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

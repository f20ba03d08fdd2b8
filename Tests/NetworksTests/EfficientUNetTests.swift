import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct EfficientUNetTests {
    @Test(arguments: try Fixture.all(in: "efficient_unet"))
    func `forward and gradients are those of the reference`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: EfficientUNetConfiguration.self)
        try compare(fixture) {
            try EfficientUNet(configuration, $0)
        } run: { network, inputs in
            var conditions = Conditions(labels: inputs["class_labels"], context: inputs["context"])
            conditions[.lowResolution] = inputs["low_resolution"]
            conditions[.noiseLevel] = inputs["noise_level"]
            let (x, time) = try (#require(inputs["sample"]), #require(inputs["timestep"]))
            let output = network(x, time: time, conditions)
            guard !output.requiresGradient else { return output }
            // What is made of the context once a run changes nothing.
            expectClose(network(x, time: time, network.preparing(conditions)), output, absolute: 1e-10)
            return output
        }
    }

    /// A residual block of as many inputs as outputs has 4c of two norms and 2(9c² + c) of two convolutions; where the inputs
    /// are i, 2i + 2c, 9ic + c + 9c² + c, and ic + c for the short cut. Below the time's projection each.
    @Test func `the parameter count follows its formula`() throws {
        var configuration = EfficientUNetConfiguration()
        (configuration.width, configuration.multipliers) = (8, [1, 3])
        (configuration.residualBlocks, configuration.attention) = ([2, 3], [false, false])
        func block(_ i: Int, _ c: Int) -> Int {
            2 * i + 2 * c + 9 * i * c + c + 9 * c * c + c + (i == c ? 0 : i * c + c)
        }
        func level(_ i: Int, _ c: Int, _ count: Int) -> Int {
            32 * i + i + block(i, c) + (count - 1) * block(c, c)
        }
        let ends = 9 * 3 * 8 + 8 + 2 * 8 + 9 * 8 * 3 + 3 + (8 * 32 + 32 + 32 * 32 + 32)
        let sampling = 2 * 9 * 8 * 24 + 24 + 8
        let levels = level(8, 8, 2) + 2 * level(24, 24, 3) + level(16, 8, 2)
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try EfficientUNet(configuration, $0) }
        #expect(store.parameterCount == ends + sampling + levels)
    }

    /// The paper gives 600 million parameters for its network from 64×64 to 256×256.
    @Test func `most parameters lie where pictures are small`() throws {
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try EfficientUNet(.imagen, $0) }
        let counts = store.parameterCounts
        let low = counts["down.3", default: 0] + counts["up.0", default: 0]
        #expect(Double(low) > 0.6 * Double(store.parameterCount))
        #expect((400_000_000...800_000_000).contains(store.parameterCount))
    }

    @Test func `sizes, contexts and variances are as its traits say`() throws {
        var configuration = EfficientUNetConfiguration()
        (configuration.crossAttentionDim, configuration.outChannels) = (6, 6)
        let traits = EfficientUNet.traits(configuration)
        #expect(traits.sizeMultiple == 4 && traits.learnsVariance && traits.context?.width == 6)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        let network = try store.build { try EfficientUNet(configuration, $0) }
        let draw = RandomGenerator(seed: 2)
        let output = network(
            draw.normal([2, 3, 12, 8]), time: Tensor([5, 700] as [Float]),
            Conditions(context: draw.normal([2, 4, 6])))
        #expect(output.shape == [2, 6, 12, 8])
        #expect(try output.isFinite().all().item(Bool.self))
    }

    @Test(arguments: [
        (#"{"width": 3}"#, "width"), (#"{"multipliers": []}"#, "multipliers"),
        (#"{"multipliers": [1, 0, 2]}"#, "multipliers[1]"), (#"{"residual_blocks": [1]}"#, "residual_blocks"),
        (#"{"residual_blocks": [1, 0, 1]}"#, "residual_blocks[1]"), (#"{"attention": [true]}"#, "attention"),
        (#"{"attention_head_dim": 7}"#, "attention_head_dim"),
        (#"{"norm_num_groups": 5}"#, "norm_num_groups"),
        (#"{"cross_attention_dim": 7, "pooling_heads": 2}"#, "pooling_heads"),
        (#"{"dropout": 1}"#, "dropout"),
        (#"{"num_class_embeds": 0}"#, "num_class_embeds"), (#"{"in_channels": 0}"#, "in_channels"),
    ])
    func `a wrong value is named by its key`(_ text: String, _ key: String) {
        #expect { try JSONDecoder().decode(EfficientUNetConfiguration.self, from: Data(text.utf8)) } throws: {
            ($0 as? NetworkError)?.key == key
        }
    }
}

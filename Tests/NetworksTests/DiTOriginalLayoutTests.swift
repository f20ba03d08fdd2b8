import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct DiTOriginalLayoutTests {
    @Test(arguments: try Fixture.all(in: "dit", prefix: "original"))
    func `a checkpoint in the original layout gives the same network`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: DiTConfiguration.self)
        let original = try fixture.source("original.")
        let layout = DiT.originalLayout(layers: configuration.numLayers)
        let source = try RearrangedSource(original, layout)
        #expect(source.dropped == ["pos_embed"])
        let store = ParameterStore(.loaded(source))
        let network = try store.build { try DiT(configuration, $0) }
        let output = network(
            try fixture.tensor("input.sample"), time: try fixture.tensor("input.timestep"),
            labels: try fixture.tensor("input.class_labels"))
        expectClose(output, try fixture.tensor("output.sample"), relative: 1e-5, absolute: 1e-5)

        var more = original
        more.tensors["blocks.0.attn.extra"] = .zeros([1])
        let strict = ParameterStore(.loaded(try RearrangedSource(more, layout)))
        #expect { try strict.build { try DiT(configuration, $0) } } throws: {
            ($0 as? LoadError)?.report?.unused == ["blocks.0.attn.extra"]
        }
    }

    /// The shapes of a published checkpoint in the original layout, without its values.
    private func original(width: Int, layers: Int) -> TensorDictionary {
        var shapes: [String: Shape] = [
            "pos_embed": [1, 1024, width], "x_embedder.proj.weight": [width, 4, 2, 2],
            "y_embedder.embedding_table.weight": [1001, width], "final_layer.linear.weight": [32, width],
        ]
        for layer in 0..<layers { shapes["blocks.\(layer).attn.qkv.weight"] = [3 * width, width] }
        return TensorDictionary(shapes.mapValues { .empty($0, on: .meta) })
    }

    @Test func `the configuration of an original checkpoint follows from its shapes`() throws {
        let found = try DiTConfiguration(originalLayout: original(width: 1152, layers: 28))
        #expect(found == DiTConfiguration(.extraLarge, sampleSize: 64))
        for (source, key) in [
            (original(width: 1152, layers: 12), "x_embedder.proj.weight"),
            (TensorDictionary(["conv_in.weight": .zeros([1])]), "x_embedder.proj.weight"),
        ] {
            #expect { try DiTConfiguration(originalLayout: source) } throws: {
                ($0 as? NetworkError)?.key == key
            }
        }
    }
}

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
        let layout = TensorLayout.dit(blocks: configuration.numLayers)
        let source = try LayoutSource(original, layout)
        #expect(source.setAside.map(\.name) == ["pos_embed"])
        let store = ParameterStore(.loaded(source))
        let network = try store.build { try DiT(configuration, $0) }
        let output = network(
            try fixture.tensor("input.sample"), time: try fixture.tensor("input.timestep"),
            labels: try fixture.tensor("input.class_labels"))
        expectClose(output, try fixture.tensor("output.sample"), relative: 1e-5, absolute: 1e-5)

        var more = original
        more.tensors["blocks.0.attn.extra"] = .zeros([1])
        let strict = ParameterStore(.loaded(try LayoutSource(more, layout)))
        #expect { try strict.build { try DiT(configuration, $0) } } throws: {
            ($0 as? LoadError)?.report?.unused == ["blocks.0.attn.extra"]
        }
    }
}

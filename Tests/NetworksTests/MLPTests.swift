import Checkpoints
import Foundation
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

@Suite struct MLPTests {
    @Test(arguments: try Fixture.all(in: "mlp"))
    func `forward and gradients are those of the reference`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: MLPConfiguration.self)
        try compare(fixture) {
            try MLP(configuration, $0)
        } run: { network, x, time, labels in
            network(x, time: time, labels: labels)
        }
    }

    /// D·w + w in, 2(w² + w) for the time, K·w for classes, 2(w² + w) a layer, w·O + O out.
    @Test(
        arguments: [
            (2, nil, 128, 4, nil), (3, 6, 17, 1, 5), (1, nil, 4, 9, 2), (784, 1568, 64, 2, 11),
        ] as [(Int, Int?, Int, Int, Int?)])
    func `the parameter count follows its formula`(
        dimension: Int, outputs: Int?, width w: Int, layers: Int, classes: Int?
    ) throws {
        var configuration = MLPConfiguration()
        (configuration.dimension, configuration.outputDimension) = (dimension, outputs)
        (configuration.width, configuration.layers, configuration.numClassEmbeds) = (w, layers, classes)
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try MLP(configuration, $0) }
        let square = w * w + w
        let ends = dimension * w + w + w * (outputs ?? dimension) + (outputs ?? dimension)
        #expect(store.parameterCount == ends + 2 * square + (classes ?? 0) * w + layers * 2 * square)
    }

    @Test(arguments: [
        (#"{"width": 3}"#, "width"), (#"{"width": 1.5}"#, "width"), (#"{"layers": 0}"#, "layers"),
        (#"{"dimension": 0}"#, "dimension"), (#"{"output_dimension": -1}"#, "output_dimension"),
        (#"{"num_class_embeds": 0}"#, "num_class_embeds"),
        (#"{"num_class_embeds": "x"}"#, "num_class_embeds"),
    ])
    func `a wrong value is named by its key`(_ text: String, _ key: String) {
        #expect { try JSONDecoder().decode(MLPConfiguration.self, from: Data(text.utf8)) } throws: {
            ($0 as? NetworkError)?.key == key
        }
    }

    @Test func `keys of other networks are foreign`() {
        let object: JSONObject = ["_class_name": "MLP", "width": 8, "depth": 3]
        #expect(MLP.foreignKeys(in: object) == ["depth"])
    }
}

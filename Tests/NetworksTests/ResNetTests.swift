import Foundation
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

@Suite struct ResNetTests {
    @Test(arguments: try Fixture.all(in: "resnet"))
    func `forward and gradients are those of the reference`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: ResNetConfiguration.self)
        try compare(fixture) {
            try ResNet(configuration, $0)
        } run: { network, x, time, labels in
            network(x, time: time, labels: labels)
        }
    }

    /// (9C + 1)·w in, 4w² + 4w and 16w² + 4w for the time, 4Kw for classes; a block has two norms of 2w, two convolutions
    /// of 9w² + w and 4w² + w for the time; 2w for the norm and (9w + 1)·O out.
    @Test(
        arguments: [
            (3, nil, 32, 6, nil), (1, 2, 8, 1, 5), (4, nil, 12, 3, 2),
        ] as [(Int, Int?, Int, Int, Int?)])
    func `the parameter count follows its formula`(
        channels: Int, outputs: Int?, width w: Int, layers: Int, classes: Int?
    ) throws {
        var configuration = ResNetConfiguration()
        (configuration.inChannels, configuration.outChannels) = (channels, outputs)
        (configuration.width, configuration.layers, configuration.normNumGroups) = (w, layers, 4)
        configuration.numClassEmbeds = classes
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try ResNet(configuration, $0) }
        let time = 20 * w * w + 8 * w + 4 * w * (classes ?? 0)
        let block = 4 * w + 2 * (9 * w * w + w) + 4 * w * w + w
        let ends = (9 * channels + 1) * w + 2 * w + (9 * w + 1) * (outputs ?? channels)
        #expect(store.parameterCount == ends + time + layers * block)
    }

    @Test(arguments: [[1, 1], [3, 8], [7, 5]]) func `pictures of every size pass`(_ size: [Int]) throws {
        var configuration = ResNetConfiguration()
        (configuration.inChannels, configuration.outChannels, configuration.layers) = (1, 2, 1)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        let network = try store.build { try ResNet(configuration, $0) }
        let x = RandomGenerator(seed: 2).normal([2, 1, size[0], size[1]])
        let output = network(x, time: Tensor([5, 700] as [Float]), labels: nil)
        #expect(output.shape == [2, 2, size[0], size[1]])
        #expect(try output.isFinite().all().item(Bool.self))
        #expect(ResNet.traits(configuration).sizeMultiple == 1 && ResNet.traits(configuration).learnsVariance)
    }

    @Test(arguments: [
        (#"{"width": 3}"#, "width"), (#"{"layers": 0}"#, "layers"), (#"{"in_channels": 0}"#, "in_channels"),
        (#"{"out_channels": -1}"#, "out_channels"), (#"{"norm_num_groups": 5}"#, "norm_num_groups"),
        (#"{"norm_num_groups": 0}"#, "norm_num_groups"), (#"{"num_class_embeds": "x"}"#, "num_class_embeds"),
    ])
    func `a wrong value is named by its key`(_ text: String, _ key: String) {
        #expect { try JSONDecoder().decode(ResNetConfiguration.self, from: Data(text.utf8)) } throws: {
            ($0 as? NetworkError)?.key == key
        }
    }
}

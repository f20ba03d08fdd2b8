import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct UNetClassifierTests {
    @Test(arguments: try Fixture.all(in: "classifier"))
    func `forward and gradients are those of the reference`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: UNetClassifierConfiguration.self)
        try compare(fixture) {
            try UNetClassifier(configuration, $0)
        } run: { network, x, time, _ in
            network(x, time: time)
        }
    }

    /// The classifiers of 64, 128 and 256 pixels that were published with the paper.
    @Test(arguments: [
        (64, [1, 2, 3, 4], 4, 1, 65_438_568), (128, [1, 1, 2, 3, 4], 2, 2, 42_568_040),
        (256, [1, 1, 2, 2, 4, 4], 2, 3, 54_096_360),
    ])
    func `published classifiers have as many parameters`(
        size: Int, multiples: [Int], layers: Int, firstAttention: Int, count: Int
    ) throws {
        var configuration = UNetClassifierConfiguration()
        configuration.encoder.sampleSize = .square(size)
        configuration.encoder.blockOutChannels = multiples.map { 128 * $0 }
        configuration.encoder.layersPerBlock = layers
        configuration.encoder.downBlockTypes = multiples.indices.map {
            $0 < firstAttention ? .residual : .attention
        }
        configuration.encoder.downsampleType = .resnet
        (configuration.encoder.attentionHeadDim, configuration.encoder.normNumGroups) = (64, 32)
        configuration.numClasses = 1000
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try UNetClassifier(configuration, $0) }
        #expect(store.parameterCount == count)
    }

    @Test func `one time stands for all, and counts`() throws {
        for pool in UNetClassifierConfiguration.Pool.allCases {
            let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
            var configuration = UNetClassifierConfiguration()
            (configuration.pool, configuration.numClasses) = (pool, 3)
            configuration.encoder.sampleSize = .square(8)
            configuration.encoder.inChannels = 1
            let network = try store.build { try UNetClassifier(configuration, $0) }
            let x = RandomGenerator(seed: 2).normal([2, 1, 8, 8])
            let one = network(x, time: Tensor([700] as [Float]))
            #expect(one.shape == [2, 3])
            expectClose(one, network(x, time: Tensor([700, 700] as [Float])), absolute: 1e-6)
            let other = network(x, time: Tensor([3] as [Float]))
            #expect(try distance(one, other) > 1e-4)
        }
    }

    /// Pictures and their classes are learnt, and every parameter takes part.
    @Test(arguments: UNetClassifierConfiguration.Pool.allCases)
    func `every parameter is learned`(_ pool: UNetClassifierConfiguration.Pool) throws {
        var configuration = UNetClassifierConfiguration()
        (configuration.pool, configuration.numClasses) = (pool, 3)
        configuration.encoder.sampleSize = .square(8)
        (configuration.encoder.inChannels, configuration.encoder.blockOutChannels) = (1, [8, 8, 8])
        (configuration.encoder.normNumGroups, configuration.encoder.attentionHeadDim) = (4, 4)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let network = try store.build { try UNetClassifier(configuration, $0) }
        let x = RandomGenerator(seed: 2).normal([6, 1, 8, 8])
        let labels = Tensor([0, 1, 2, 0, 1, 2] as [Int]).unsqueezed(1)
        let optimizer = AdamW(store, .init(weightDecay: 0))
        var losses: [Double] = []
        for step in 0..<30 {
            let logits = network(x, time: Tensor([20] as [Float]))
            let loss = -logits.logSoftmax(1).taken(labels, along: 1).mean()
            losses.append(try loss.item())
            try loss.backward()
            if step == 0 {
                for (name, parameter) in store.named {
                    let gradient = try #require(parameter.gradient, "\(name) has none")
                    #expect(try gradient.isFinite().all().item(Bool.self), "\(name)")
                }
            }
            try optimizer.step(learningRate: 5e-3)
            try optimizer.clearGradients()
        }
        #expect(losses[29] < 0.3 * losses[0], "\(losses)")
    }

    @Test(arguments: [
        (#"{"num_classes": 1}"#, "num_classes"), (#"{"pool": "max"}"#, "pool"),
        (#"{"sample_size": null}"#, "sample_size"), (#"{"sample_size": 30}"#, "sample_size"),
        (#"{"sample_size": [32, 6]}"#, "sample_size"), (#"{"norm_num_groups": 7}"#, "norm_num_groups"),
        (#"{"attention_head_dim": 48}"#, "attention_head_dim"),
        (#"{"block_out_channels": []}"#, "block_out_channels"),
        (#"{"down_block_types": ["DownBlock2D"]}"#, "down_block_types"),
        (#"{"in_channels": 0}"#, "in_channels"),
    ])
    func `a wrong value is named by its key`(_ text: String, _ key: String) {
        #expect {
            try JSONDecoder().decode(UNetClassifierConfiguration.self, from: Data(text.utf8))
        } throws: {
            ($0 as? NetworkError)?.key == key
        }
    }

    @Test func `data decide what is left open`() {
        var demands = NetworkDemands(sample: [1, 28, 20], given: ["in_channels"])
        demands.classes = 7
        let fitted = UNetClassifierConfiguration().fitted(to: demands)
        #expect(fitted.encoder.sampleSize == .rectangle(height: 28, width: 20))
        #expect(fitted.numClasses == 7 && fitted.encoder.inChannels == 3)
    }
}

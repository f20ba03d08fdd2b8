import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// EDM's networks beside the published code, whose weights are drawn as the fixture's seed says.
@Suite struct EDMUNetTests {
    @Test(arguments: try Fixture.all(in: "edm"))
    func outputsAreThoseOfTheReference(_ fixture: Fixture) throws {
        let object = try fixture.case.required("configuration", as: JSONObject.self)
        let configuration = try EDMUNet.configuration(object)
        let shapes = ParameterStore(.shapesOnly)
        _ = try shapes.build { try EDMUNet(configuration, $0) }
        let seed = try fixture.case.required("seed", as: Int.self)
        var weights: [String: Tensor] = [:]
        for (place, (name, tensor)) in shapes.named.sorted(by: { $0.0 < $1.0 }).enumerated() {
            let drawn = RandomGenerator(seed: UInt64(seed + place)).normal(tensor.shape)
            let row = tensor.shape.extents.dropFirst().reduce(1, *)
            let isNormWeight = name.contains("norm") && name.hasSuffix("weight")
            weights[name] =
                tensor.rank > 1
                ? drawn * (0.7 / Double(row).squareRoot()) : drawn * 0.2 + (isNormWeight ? 1 : 0)
        }
        let network = try ParameterStore(.loaded(TensorDictionary(weights))).build {
            try EDMUNet(configuration, $0)
        }
        let labels = configuration.labelDim > 0 ? try fixture.tensor("labels") : nil
        let found = try network(fixture.tensor("x"), time: fixture.tensor("time"), labels: labels)
        expectClose(found, try fixture.tensor("output"), absolute: 2e-5, fixture.name)
    }

    /// The numbers of parameters of the published networks, by their own flags, without the labels of augmentation.
    @Test(arguments: [("ddpm", 55_732_739), ("ncsn", 56_395_523), ("adm", 295_899_267)])
    func publishedNetworksHaveTheirCounts(name: String, count: Int) throws {
        var configuration = EDMUNetConfiguration()
        (configuration.modelChannels, configuration.channelMult) = (128, [2, 2, 2])
        (configuration.numBlocks, configuration.attnResolutions) = (4, [16])
        if name == "ncsn" {
            (configuration.embeddingType, configuration.encoderType) = (.fourier, .residual)
            (configuration.channelMultNoise, configuration.resampleFilter) = (2, [1, 3, 3, 1])
        }
        if name == "adm" {
            (configuration.modelType, configuration.modelChannels) = (.dhariwal, 192)
            (configuration.channelMult, configuration.numBlocks) = ([1, 2, 3, 4], 3)
            (configuration.attnResolutions, configuration.imgResolution) = ([32, 16, 8], 64)
            configuration.labelDim = 1000
        }
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try EDMUNet(configuration, $0) }
        let found = store.named.filter { $0.0 != "model.map_noise.freqs" }
            .reduce(0) { $0 + $1.1.shape.elementCount }
        #expect(found == count)
    }

    @Test func whatCannotBeBuiltIsNamed() {
        func problem(_ change: (inout EDMUNetConfiguration) -> Void) -> String {
            var configuration = EDMUNetConfiguration()
            change(&configuration)
            do {
                try configuration.validate()
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem { $0.imgResolution = 7 }.contains("img_resolution"))
        #expect(problem { $0.resampleFilter = [1, 2, 1] }.contains("resample_filter"))
        #expect(problem { $0.dropout = 1 }.contains("dropout"))
        #expect(
            problem {
                $0.modelType = .dhariwal; $0.modelChannels = 16
            }.contains("model_channels"))
        #expect(problem { _ in } == "")
    }
}

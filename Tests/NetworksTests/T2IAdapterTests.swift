import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// Answers are compared with those of diffusers through the program (`ControlNetCommandTests`).
@Suite struct T2IAdapterTests {
    /// Counts of diffusers' class for the published configurations.
    @Test(
        arguments: [
            (JSONObject(), 77_369_280),
            (
                ["adapter_type": "light_adapter", "channels": [320, 640, 1280], "num_res_blocks": 4],
                18_689_200
            ),
            (["adapter_type": "full_adapter_xl", "downscale_factor": 16], 79_028_160),
        ] as [(JSONObject, Int)])
    func `parameters are counted`(_ object: JSONObject, _ count: Int) throws {
        let configuration = try T2IAdapter.configuration(object)
        #expect(try T2IAdapter.shapes(T2IAdapter.json(configuration)).parameterCount == count)
        let shrinking = configuration.additions.map(\.shrinking)
        let isXL = configuration.adapterType == .fullXL
        #expect(shrinking == (isXL ? [16, 16, 32, 32] : [8, 16, 32, 64]))
    }

    /// Odd sides are halved upwards, as those of latents are.
    @Test func `features have the sizes that are said`() throws {
        var configuration = T2IAdapterConfiguration()
        (configuration.channels, configuration.downscaleFactor, configuration.numResBlocks) = ([4, 8], 2, 1)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        let network = try store.build { try T2IAdapter(configuration, $0) }
        let features = network(RandomGenerator(seed: 2).normal([1, 3, 10, 6]))
        #expect(features.map(\.shape) == [[1, 4, 5, 3], [1, 8, 3, 2]])
    }

    @Test(
        arguments: [
            ("channels", []), ("channels", [0]), ("adapter_type", "heavy_adapter"), ("downscale_factor", 0),
            ("num_res_blocks", 1000),
        ] as [(String, JSONValue)])
    func `what describes no network is refused`(_ key: String, _ value: JSONValue) throws {
        var object = try T2IAdapter.json(T2IAdapterConfiguration())
        object[key] = value
        let error = #expect(throws: (any Error).self) { try T2IAdapter.shapes(object) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(key))
    }
}

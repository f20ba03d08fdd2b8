import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

@Suite struct ConfiguredNetworkTests {
    private var configuration: UNet2DConfiguration {
        var configuration = UNet2DConfiguration()
        (configuration.blockOutChannels, configuration.normNumGroups) = ([4, 8], 2)
        configuration.downBlockTypes = [.plain, .attention]
        configuration.upBlockTypes = [.attention, .plain]
        configuration.attentionHeadDim = nil
        return configuration
    }

    private func write(to folder: ModelFolder) throws -> (network: UNet2D, store: ParameterStore) {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 2)))
        let network = try store.build { try UNet2D(configuration, $0) }
        try network.write(store, to: folder)
        return (network, store)
    }

    @Test func `a written folder gives the same network`() throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("unet"))
        let (network, store) = try write(to: folder)
        #expect(try folder.configuration()["_class_name"] == "UNet2DModel")
        let loaded = try UNet2D.load(folder)
        #expect(loaded.network.configuration == configuration)
        #expect(loaded.store.names == store.names)
        #expect(loaded.store.report.used == store.names)
        let x = RandomGenerator(seed: 3).normal([2, 3, 8, 8])
        let time = Tensor([3, 700] as [Int])
        #expect(try distance(loaded.network(x, time: time), network(x, time: time)) == 0)
    }

    @Test func `old names of attention are understood`() throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("unet"))
        let (_, store) = try write(to: folder)
        let old = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
        let renamed = zip(store.names, store.parameters).map { name, tensor in
            (old.reduce(name) { $0.replacing(".\($1.0).", with: ".\($1.1).") }, tensor)
        }
        #expect(renamed.contains { $0.0 == "mid_block.attentions.0.proj_attn.bias" })
        try folder.write(renamed)
        let loaded = try UNet2D.load(folder)
        for (name, tensor) in zip(store.names, store.parameters) {
            #expect(try distance(#require(loaded.store[name]), tensor) == 0)
        }
    }

    @Test func `a folder of another network, or with a wrong value, is refused by name`() throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("unet"))
        for (object, word) in [
            (["_class_name": "AutoencoderKL"] as JSONObject, "AutoencoderKL"),
            (["norm_num_groups": 5] as JSONObject, "norm_num_groups"),
        ] {
            try folder.write(object)
            #expect { try UNet2D.configuration(of: folder) } throws: { error in
                let text = (error as? CheckpointError)?.description ?? ""
                return text.contains(word) && text.contains("config.json")
            }
        }
    }

    @Test func `weights that do not fit are listed`() throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("unet"))
        let (_, store) = try write(to: folder)
        var tensors = Array(zip(store.names, store.parameters)).filter { $0.0 != "conv_out.bias" }
        tensors.append(("extra", .zeros([1])))
        try folder.write(tensors)
        #expect { try UNet2D.load(folder) } throws: { error in
            guard let report = (error as? LoadError)?.report else { return false }
            return report.missing == ["conv_out.bias"] && report.unused == ["extra"]
        }
    }
}

import Checkpoints
import Diffusion
import Layers
import Networks
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// Files and folders written anew, every tensor accounted for.
@Suite struct ConversionTests {
    private let folder: TemporaryFolder
    /// The components of a tiny class-conditional latent-diffusion model.
    private let stores: [ModelComponent: ParameterStore]

    private static let configurations: [ModelComponent: JSONObject] = [
        .unet: [
            "_class_name": "UNet2DConditionModel", "attention_head_dim": 2, "block_out_channels": [4, 4, 8],
            "cross_attention_dim": 6, "norm_num_groups": 2, "sample_size": 8,
            "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        ],
        .vqvae: [
            "_class_name": "VQModel", "block_out_channels": [4, 4, 4, 8], "latent_channels": 4,
            "norm_num_groups": 2, "num_vq_embeddings": 6, "layers_per_block": 2,
            "down_block_types": [
                "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "AttnDownEncoderBlock2D",
            ],
            "up_block_types": [
                "AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
            ],
        ],
        .classEmbedder: ["_class_name": "ClassEmbedder", "embed_dim": 6, "n_classes": 5],
    ]

    init() throws {
        folder = try TemporaryFolder()
        var stores: [ModelComponent: ParameterStore] = [:]
        for (seed, component) in [ModelComponent.unet, .vqvae, .classEmbedder].enumerated() {
            let object = Self.configurations[component]!
            stores[component] = try Self.random(KnownNetworks.network(of: object), object, UInt64(seed))
        }
        self.stores = stores
    }

    private static func random<Network: ConfiguredNetwork>(
        _ type: Network.Type, _ object: JSONObject, _ seed: UInt64
    ) throws -> ParameterStore {
        let store = ParameterStore(.initialized(RandomGenerator(seed: seed)))
        let configuration = try type.configuration(object)
        _ = try store.build { try type.init(configuration, $0) }
        return store
    }

    /// The model as one file under the names of the latent-diffusion code, and as a folder without weights.
    private func write(changing change: (inout [(String, Tensor)]) -> Void = { _ in }) throws -> String {
        var tensors: [(String, Tensor)] = []
        var index: JSONObject = ["_class_name": "LDMPipeline", "scheduler": ["diffusers", "DDIMScheduler"]]
        for (component, store) in stores {
            let names = try #require(OriginalNames(natives: store.names))
            tensors += try store.named.map { (try #require(names[$0]), $1) }
            let object = Self.configurations[component]!
            try ModelFolder(folder("described/\(component.rawValue)")).write(object)
            index[component.rawValue] = ["diffusers", object["_class_name"]!]
        }
        tensors.append(("betas", .zeros([10])))
        change(&tensors)
        try ModelFolder(folder("described/scheduler")).write(
            ["_class_name": "DDIMScheduler", "num_train_timesteps": 10], to: "scheduler_config.json")
        try ModelFolder(folder("described")).write(index, to: "model_index.json")
        return try folder.write("one.safetensors", SafetensorsWriter(tensors).bytes())
    }

    private func described() -> Conversion {
        var conversion = Conversion()
        conversion.configurations = folder("described")
        return conversion
    }

    private func expectTheSame(_ path: String, as type: ElementType = .float32) throws {
        for (component, store) in stores {
            let written = try ModelFolder("\(path)/\(component.rawValue)").weights()
            #expect(Set(written.names) == Set(store.names))
            for (name, tensor) in store.named {
                #expect(try written.tensor(named: name).isIdentical(to: tensor.to(type)), "\(name)")
            }
        }
    }

    // MARK: Files

    @Test func aFileBecomesAFolderAndThatAnotherOne() throws {
        let one = try write()
        let lines = try described().run(one, to: folder("a"))
        try expectTheSame(folder("a"))
        #expect(lines.contains { $0.contains("betas") && $0.contains("computed") })
        let source = try ModelSource(folder("a"))
        #expect(try (source.process().schedule as? DiscreteSchedule)?.count == 10)
        #expect(try source.className(of: .classEmbedder) == "ClassEmbedder")
        var half = Conversion()
        half.elementType = .bfloat16
        _ = try half.run(folder("a"), to: folder("b"))
        try expectTheSame(folder("b"), as: .bfloat16)
        let network = try Conversion().run(folder("a/vqvae"), to: folder("c"))
        #expect(network == ["VQModel: all \(stores[.vqvae]!.names.count) tensors used"])
        #expect(try folder.names().filter { $0.contains("tmp") }.isEmpty)
    }

    @Test func whatDoesNotFitIsNamedAndNothingStays() throws {
        let stray = "first_stage_model.decoder.up.0.surprise.weight"
        let missing = "model.diffusion_model.time_embed.0.bias"
        var strict = described()
        strict.isStrict = true
        let cases: [(Conversion, words: String, (inout [(String, Tensor)]) -> Void)] = [
            (Conversion(), "give configurations FOLDER", { _ in }),
            (described(), stray, { $0.append((stray, .zeros([2]))) }),
            (strict, "1 tensors belong to no part", { $0.append(("odd", .zeros([2]))) }),
            (described(), "time_embedding.linear_1.bias", { $0.removeAll { $0.0 == missing } }),
            (
                described(), "([3] instead of [16])",
                { tensors in
                    tensors.removeAll { $0.0 == missing }
                    tensors.append((missing, .zeros([3])))
                }
            ),
        ]
        for (conversion, words, change) in cases {
            let one = try write(changing: change)
            expectRefused(words) { try conversion.run(one, to: folder("out")) }
            #expect(try folder.names() == ["described", "one.safetensors"])
        }
        let lines = try described().run(
            write { $0.append(("odd", .zeros([2]))) }, to: folder("out"))
        #expect(lines.contains { $0.contains("odd") })
        try expectTheSame(folder("out"))
    }

    @Test func averagesTakeThePlaceOfWeights() throws {
        let one = try write { tensors in
            for (name, tensor) in tensors where name.hasPrefix("model.diffusion_model.") {
                let key = "model_ema." + name.dropFirst("model.".count).filter { $0 != "." }
                tensors.append((key, tensor * 2))
            }
        }
        var conversion = described()
        conversion.usesAverage = true
        _ = try conversion.run(one, to: folder("a"))
        let name = "conv_in.weight"
        let found = try ModelFolder(folder("a/unet")).weights().tensor(named: name)
        #expect(try found.isIdentical(to: stores[.unet]![name]! * 2))
    }

    // MARK: Pickles

    @Test(arguments: ["archive.pt", "legacy.bin", "deflated.pt", "lightning.ckpt"])
    func aPickleKeepsItsTensors(_ name: String) throws {
        let output = folder("out.safetensors")
        let lines = try Conversion().run(fixturePath("pickles/\(name)"), to: output)
        #expect(lines.contains { $0.contains("epoch: a number") } == (name == "lightning.ckpt"))
        let prefix = name == "lightning.ckpt" ? "lightning." : "plain."
        let wanted = try Fixture("pickles/expected").tensors(prefix)
        let written = try SafetensorsFile(path: output)
        #expect(Set(written.names) == Set(wanted.keys))
        for (name, tensor) in wanted {
            #expect(try written.tensor(named: name).isIdentical(to: tensor), "\(name)")
        }
    }

    @Test func ofSeveralDictionariesOneIsNamed() throws {
        let pair = fixturePath("pickles/pair.pt")
        expectRefused("\"ema\"") { try Conversion().run(pair, to: folder("out.safetensors")) }
        var conversion = Conversion()
        conversion.entry = "ema"
        _ = try conversion.run(pair, to: folder("out.safetensors"))
        let wanted = try Fixture("pickles/expected").tensors("ema.")
        #expect(try Set(SafetensorsFile(path: folder("out.safetensors")).names) == Set(wanted.keys))
    }

    @Test(arguments: ["command.pt", "command.bin", "unsupported.pt"])
    func aPickleThatWouldDoMoreIsRefused(_ name: String) throws {
        expectRefused(name) {
            try Conversion().run(fixturePath("pickles/\(name)"), to: folder("out.safetensors"))
        }
        #expect(try folder.names().isEmpty)
    }

    /// Weights beside a configuration may be a pickle, too, whatever its name says.
    @Test func aNetworksFolderMayHoldAPickle() throws {
        let place = folder("network")
        try ModelFolder(place).write(["_class_name": "ClassEmbedder", "embed_dim": 6, "n_classes": 5])
        try folder.write(
            "network/diffusion_pytorch_model.bin", contents(of: fixturePath("pickles/archive.pt")))
        expectRefused("does not fit ClassEmbedder") { try Conversion().run(place, to: folder("out")) }
        #expect(try folder.names() == ["network"])
    }

    // MARK: Requests

    @Test func whatCannotBeIsRefused() throws {
        let one = try write()
        expectRefused("there is no") { try Conversion().run(folder("none"), to: folder("out")) }
        expectRefused("is there already") { try Conversion().run(one, to: folder("described")) }
        expectRefused("holds no weights") {
            try Conversion().run(folder("described"), to: folder("out.safetensors"))
        }
        expectRefused("leave out configurations") {
            try described().run(folder("described"), to: folder("out"))
        }
        expectRefused("with a folder as OUT") { try described().run(one, to: folder("x.safetensors")) }
        expectRefused("there is no folder") { try described().run(one, to: folder("no/where")) }
        var entry = Conversion()
        entry.entry = "ema"
        expectRefused("no entries") { try entry.run(one, to: folder("out")) }
        #expect(try folder.names() == ["described", "one.safetensors"])
    }

    private func expectRefused(
        _ words: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> [String]
    ) {
        let error = #expect(throws: (any Error).self, sourceLocation: sourceLocation) { try body() }
        let sentence = error.map { "\($0)" } ?? ""
        #expect(
            sentence.contains(words) && !sentence.contains("\n"), "\(sentence)",
            sourceLocation: sourceLocation)
    }
}

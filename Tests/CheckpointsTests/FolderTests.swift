import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct FolderTests {
    let folder: TemporaryFolder
    let tensors: [(String, Tensor)] = (0..<5).map { i in
        ("block.\(i).weight", Tensor([Float](repeating: Float(i), count: 100)))
    }

    init() throws { folder = try TemporaryFolder() }

    func refusal(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test func writesAndReadsShards() throws {
        let model = ModelFolder(folder("unet"))
        try model.write(tensors, maximalShardByteCount: 900)
        let names = [
            "diffusion_pytorch_model-00001-of-00003.safetensors",
            "diffusion_pytorch_model-00002-of-00003.safetensors",
            "diffusion_pytorch_model-00003-of-00003.safetensors",
            "diffusion_pytorch_model.safetensors.index.json",
        ]
        #expect(try folderNames(model.path) == names)
        let index = try String(decoding: contents(of: model.path + "/" + names[3]), as: UTF8.self)
        #expect(
            index.hasPrefix(
                "{\n  \"metadata\": {\n    \"total_size\": 2000\n  },\n  \"weight_map\": {\n    \"block.0.weight\": \"\(names[0])\""
            ))
        let source = try model.weights()
        #expect(source.names.sorted() == tensors.map(\.0))
        for (name, tensor) in tensors {
            #expect(source.shape(of: name) == [100])
            #expect(
                try source.tensor(named: name).array(of: Float.self) == (try tensor.array(of: Float.self)))
        }
        // Fewer bytes later: the old shards and their index go.
        try model.write(tensors)
        #expect(try folderNames(model.path) == ["diffusion_pytorch_model.safetensors"])
        #expect(try model.weights().names.count == 5)
    }

    @Test func namesVariantsAsDiffusersDoes() throws {
        let model = ModelFolder(folder("unet"))
        try model.write(tensors, names: .init(variant: "fp16"), maximalShardByteCount: 1200)
        #expect(
            try folderNames(model.path) == [
                "diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
                "diffusion_pytorch_model.fp16-00002-of-00002.safetensors",
                "diffusion_pytorch_model.safetensors.index.fp16.json",
            ])
        #expect(try model.weights(variant: "fp16").names.count == 5)
        #expect(refusal { _ = try model.weights() }.contains("\"diffusion_pytorch_model.safetensors\""))
    }

    @Test func givesALargeTensorAShardOfItsOwn() throws {
        let model = ModelFolder(folder("unet"))
        try model.write(tensors, maximalShardByteCount: 1)
        #expect(try folderNames(model.path).count == 6)
        #expect(try model.weights().names.count == 5)
    }

    /// A46. Each index names files that exist, are sound, and differ from it by one fault.
    @Test func refusesAnIndexThatDoesNotFit() throws {
        let one = Tensor([1] as [Float])
        try SafetensorsWriter([("a", one)]).write(to: folder("one.safetensors"))
        try SafetensorsWriter([("b", one)]).write(to: folder("two.safetensors"))
        try SafetensorsWriter([("a", one), ("b", one)]).write(to: folder("both.safetensors"))
        let inner = try folder.makeFolder("inner")
        try SafetensorsWriter([("a", one)]).write(to: inner + "/three.safetensors")
        func open(_ map: String) -> String {
            refusal {
                let path = try folder.write("x.safetensors.index.json", #"{"weight_map":{\#(map)}}"#)
                _ = try ShardedCheckpoint(index: path)
            }
        }
        #expect(open(#""a":"one.safetensors","b":"two.safetensors""#) == "accepted")
        #expect(
            open(#""a":"one.safetensors","b":"none.safetensors""#).contains(
                "none.safetensors: it cannot be opened"))
        for place in [
            "../one.safetensors", "inner/three.safetensors", "\(folder.path)/one.safetensors", "..", "",
            "inner\\\\three.safetensors", "C:one.safetensors", "one.safetensors\\u0000.safetensors",
            "one.bin", ".safetensors",
        ] {
            #expect(
                open(#""a":"\#(place)""#).contains("only a safetensors file beside the index"), "\(place)")
        }
        #expect(open(#""a":"one.safetensors","b":"both.safetensors""#).contains("is in both"))
        #expect(open(#""a":"both.safetensors""#).contains("hold tensors that the index does not: \"b\""))
        #expect(
            open(#""a":"one.safetensors","b":"one.safetensors""#).contains(
                "not in the files named for them: \"b\""))
        #expect(open(#""a":"one.safetensors","a":"two.safetensors""#).contains("twice"))
        #expect(open(#""a":1"#).contains("must be a string"))
        for text in ["[]", "{}", #"{"weight_map":[]}"#, #"{"weight_map":{}"#] {
            let path = try folder.write("y.index.json", text)
            #expect(refusal { _ = try ShardedCheckpoint(index: path) }.hasPrefix(path), "\(text)")
        }
    }

    @Test func saysWhatIsMissing() throws {
        let model = ModelFolder(folder.path)
        #expect(refusal { _ = try model.weights() }.contains("the folder holds no weights: none of"))
        try folder.write("other.safetensors", "")
        let other = refusal { _ = try model.weights() }
        #expect(other.contains("the folder holds \"other.safetensors\", and none of"))
        try folder.write("diffusion_pytorch_model.bin", "")
        #expect(refusal { _ = try model.weights() }.contains("pickle"))
        #expect(refusal { _ = try model.configuration() }.contains("holds no config.json"))
        let none = ModelFolder(folder("none"))
        #expect(refusal { _ = try none.weights() }.contains("no such folder"))
        #expect(refusal { _ = try none.configuration() }.contains("no such folder"))
    }

    @Test func readsTransformersNames() throws {
        try SafetensorsWriter([("a", Tensor([1] as [Float]))]).write(to: folder("model.safetensors"))
        #expect(try ModelFolder(folder.path).weights().names == ["a"])
    }

    @Test func readsConfigurations() throws {
        try folder.write("config.json", #"{"_class_name": "UNet2DModel", "in_channels": 3}"#)
        let configuration = try ModelFolder(folder.path).configuration()
        #expect(try configuration.required("in_channels") == 3)
        #expect(
            refusal { _ = try configuration.required("in_channels", as: String.self) }
                == "\(folder.path)/config.json: the key \"in_channels\" must be a string, it is 3")
        try folder.write("scheduler_config.json", #"{"lambda_min_clipped": -Infinity}"#)
        let scheduler = try ModelFolder(folder.path).configuration(
            "scheduler_config.json", allowsNonFinite: true)
        #expect(try scheduler.required("lambda_min_clipped") == -Double.infinity)
        #expect(
            refusal { _ = try ModelFolder(folder.path).configuration("scheduler_config.json") } != "accepted")
    }
}

@Suite struct NameMapTests {
    let map: NameMap = [
        "conv_in.weight": "input.weight",
        "down.{i}.block.{j}.conv.*": "down_blocks.{i}.resnets.{j}.conv.*",
        "mid.{i}.weight": "mid_block.{i}.w",
    ]

    @Test func mapsBothWays() {
        for (foreign, native) in [
            ("conv_in.weight", "input.weight"),
            ("down.0.block.12.conv.weight", "down_blocks.0.resnets.12.conv.weight"),
            ("down.10.block.0.conv.norm.bias", "down_blocks.10.resnets.0.conv.norm.bias"),
            ("mid.3.weight", "mid_block.3.w"),
        ] {
            #expect(map.native(for: foreign) == native)
            #expect(map.foreign(for: native) == foreign)
        }
        for name in [
            "", "conv_in", "conv_in.weight.x", "down.x.block.0.conv.weight", "down.01.block.0.conv.weight",
            "down..block.0.conv.weight", "down.0.block.0.conv.", "mid.3.weights",
        ] {
            #expect(map.native(for: name) == nil, "\(name)")
        }
    }

    @Test func renamesASource() throws {
        let source = TensorDictionary([
            "conv_in.weight": Tensor([1, 2] as [Float]), "mid.0.weight": Tensor([3] as [Int64]),
            "strange": Tensor([4] as [Float]),
        ])
        let renamed = try RenamedSource(source, map)
        #expect(renamed.names == ["input.weight", "mid_block.0.w"])
        #expect(renamed.unmapped == ["strange"])
        #expect(renamed.shape(of: "input.weight") == [2])
        #expect(renamed.elementType(of: "mid_block.0.w") == .int64)
        #expect(renamed.shape(of: "conv_in.weight") == nil)
        #expect(try renamed.tensor(named: "mid_block.0.w").array(of: Int64.self) == [3])
        #expect(throws: CheckpointError.self) { try renamed.tensor(named: "strange") }
    }

    @Test func refusesTwoNamesThatBecomeOne() {
        let both: NameMap = ["a.{i}": "x.{i}", "b.{i}": "x.{i}"]
        let source = TensorDictionary(["a.0": Tensor([1] as [Float]), "b.0": Tensor([1] as [Float])])
        #expect(throws: CheckpointError.self) { try RenamedSource(source, both) }
    }
}

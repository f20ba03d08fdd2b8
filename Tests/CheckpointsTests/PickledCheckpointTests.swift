import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

/// Files that PyTorch wrote, read without PyTorch.
@Suite struct PickledCheckpointTests {
    let expected: Fixture

    init() throws { expected = try Fixture("pickles/expected") }

    static func path(_ name: String) -> String { fixturePath("pickles/\(name)") }

    func compare(_ file: PickledCheckpoint, _ prefix: String) throws {
        let wanted = try expected.tensors(prefix)
        #expect(Set(file.names) == Set(wanted.keys))
        for (name, tensor) in wanted {
            let found = try file.tensor(named: name)
            #expect(
                found.elementType == tensor.elementType && file.elementType(of: name) == tensor.elementType)
            #expect(found.shape == tensor.shape && file.shape(of: name) == tensor.shape, "\(name)")
            #expect(found.isContiguous || found.elementCount == 0)
            #expect(try found.withBytes(Array.init) == tensor.withBytes(Array.init), "\(name)")
        }
    }

    @Test(arguments: [
        "archive.pt", "protocol-3.pt", "protocol-4.pt", "protocol-5.pt", "legacy.bin", "deflated.pt",
        "unchecked.pt",
    ])
    func readsEveryFormOfPyTorch(_ name: String) throws {
        for storage in [SafetensorsFile.Storage.mapped, .copied] {
            let file = try PickledCheckpoint(path: Self.path(name), storage: storage)
            try compare(file, "plain.")
            try file.verify()
            #expect(file.skipped.isEmpty)
        }
        #expect(try CheckpointFormat(of: Self.path(name)).isPickled)
    }

    @Test func readsWeightsAmongWhatTrainingLeaves() throws {
        let file = try PickledCheckpoint(path: Self.path("lightning.ckpt"))
        try compare(file, "lightning.")
        #expect(file.skipped.contains("epoch: a number"))
        #expect(file.skipped.contains("optimizer_states: a list"))
        #expect(file.skipped.contains("hyper_parameters: omegaconf.dictconfig.DictConfig"))
        #expect(file.skipped.contains("device: torch.device"))
    }

    @Test func asksWhichOfSeveralSetsIsMeant() throws {
        let error = #expect(throws: CheckpointError.self) {
            try PickledCheckpoint(path: Self.path("pair.pt"))
        }
        #expect(error?.problem.contains("\"model\", \"ema\"") == true)
        for entry in ["model", "ema"] {
            try compare(PickledCheckpoint(path: Self.path("pair.pt"), entry: entry), "\(entry).")
        }
        let none = #expect(throws: CheckpointError.self) {
            try PickledCheckpoint(path: Self.path("pair.pt"), entry: "best")
        }
        #expect(none?.problem.contains("no dictionary \"best\"") == true)
    }

    @Test func namesTypesThatItCannotHold() throws {
        let file = try PickledCheckpoint(path: Self.path("unsupported.pt"))
        #expect(file.elementType(of: "complex") == nil && file.shape(of: "complex") == [2])
        let error = #expect(throws: CheckpointError.self) { try file.tensor(named: "complex") }
        #expect(error?.problem.contains("ComplexFloatStorage") == true)
        #expect(file.skipped.isEmpty && file.elementType(of: "float8") == .float32)
        #expect(try file.tensor(named: "float").array(of: Float.self) == [1, 1])
        #expect(throws: CheckpointError.self) { try file.tensor(named: "nowhere") }
    }

    static let others = [
        ("whole.pt", "torch.nn.modules.linear.Linear"), ("script.pt", "TorchScript"),
        ("plain.pkl", "no weights"),
        ("expected.safetensors", "safetensors"),
        ("command.pt", "\"posix.system\""), ("command.bin", "\"posix.system\""),
    ]

    @Test(arguments: others)
    func refusesWhatHoldsNoWeightsOrCommands(_ name: String, _ word: String) throws {
        let error = #expect(throws: CheckpointError.self) { try PickledCheckpoint(path: Self.path(name)) }
        #expect(error?.description.contains(word) == true, "\(String(describing: error))")
    }

    @Test func sharesTheMemoryOfTheFile() throws {
        let file = try PickledCheckpoint(path: Self.path("archive.pt"))
        let first = try file.tensor(named: "base").withBytes { $0.baseAddress }
        #expect(try first == file.tensor(named: "same").withBytes { $0.baseAddress })
        #expect(try first.map { $0 + 16 } == file.tensor(named: "rows").withBytes { $0.baseAddress })
    }

    // MARK: Recognised by content

    static let impostors: [([UInt8], String)] = [
        ([], "it is empty"), ([1, 2, 3, 4, 5, 6, 7], "no checkpoint"),
        ([0x89, 0x48, 0x44, 0x46, 1, 2, 3, 4], "HDF5"),
        (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "git lfs pull"),
        (Array("<!DOCTYPE html>".utf8), "web page"), ([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0], "gzip"),
        ([0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10], "PNG"),
        ([0x80, 4, 0x95, 0, 0, 0, 0, 0, 0], "none of PyTorch's"),
        ([UInt8](repeating: 0, count: 257) + Array("ustar\0".utf8), "tar"),
        (Array("PK\u{5}\u{6}".utf8), "empty zip"),
    ]

    @Test(arguments: impostors)
    func saysWhatAFileIsInstead(_ bytes: [UInt8], _ word: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("model.safetensors", bytes)
        let error = #expect(throws: CheckpointError.self) { try CheckpointFormat(of: path) }
        #expect(error?.problem.contains(word) == true, "\(String(describing: error))")
    }

    @Test func namesOfFilesDecideNothing() throws {
        let folder = try TemporaryFolder()
        let pickle = try folder.write("model.safetensors", contents(of: Self.path("archive.pt")))
        #expect(try CheckpointFormat(of: pickle) == .torchArchive)
        let tensors = try folder.write(
            "model.ckpt", SafetensorsWriter([("a", Tensor([1] as [Float]))]).bytes())
        #expect(try CheckpointFormat(of: tensors) == .safetensors)
        #expect(try CheckpointFormat(of: Self.path("legacy.bin")) == .torchLegacy)
        #expect(throws: CheckpointError.self) { try CheckpointFormat(of: folder.path) }
        #expect(throws: CheckpointError.self) { try CheckpointFormat(of: folder("nowhere")) }
    }
}

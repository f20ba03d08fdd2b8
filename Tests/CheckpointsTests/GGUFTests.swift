import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

/// GGUF files are what PyPI's `gguf` reads them as, and damaged ones are refused before memory is taken.
@Suite struct GGUFTests {
    @Test func everyTypeIsExpandedToTheLastBit() throws {
        let file = try GGUFFile(path: fixturePath("gguf/types.gguf"))
        let expected = try SafetensorsFile(path: fixturePath("gguf/types.safetensors"))
        #expect(Set(file.names) == Set(expected.names))
        #expect(file.names.count == 16)
        for name in expected.names {
            let (found, wanted) = (try file.tensor(named: name), try expected.tensor(named: name))
            #expect(file.shape(of: name) == wanted.shape)
            let type = try #require(file.elementType(of: name))
            #expect(found.elementType == type)
            #expect(try found.to(wanted.elementType).isIdentical(to: wanted), "\(name)")
        }
        #expect(file.metadata["general.name"] == "drawn")
        #expect(file.storedType(of: "Q4_K.weight") == "Q4_K")
    }

    @Test func copiedFilesAreTheSame() throws {
        let path = fixturePath("gguf/types.gguf")
        let (mapped, copied) = (try GGUFFile(path: path), try GGUFFile(path: path, storage: .copied))
        for name in mapped.names {
            #expect(try mapped.tensor(named: name).isIdentical(to: copied.tensor(named: name)), "\(name)")
        }
    }

    @Test func isRecognizedByItsFirstBytes() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("model.safetensors", contents(of: fixturePath("gguf/types.gguf")))
        #expect(try CheckpointFormat(of: path) == .gguf)
        #expect(try CheckpointFormat(of: path).isPickled == false)
        #expect(try plainTensors(of: path).names.count == 16)
        let error = #expect(throws: CheckpointError.self) { try SafetensorsFile(path: path) }
        #expect(error?.problem.contains("GGUF") == true)
    }

    // MARK: Damaged files

    private static let four = RawGGUF.Tensor("a", [4])
    private static let bytes = [UInt8](repeating: 1, count: 16)

    private static func changed(_ change: (inout RawGGUF) -> Void) -> [UInt8] {
        var file = RawGGUF([four], data: bytes)
        change(&file)
        return file.bytes
    }

    /// A file with one field of metadata: a type, and what follows it.
    private static func field(
        _ name: String, _ type: UInt32, _ value: any FixedWidthInteger..., then bytes: [UInt8] = []
    )
        -> [UInt8]
    {
        changed { file in
            file.fields = [(name, file.littleEndian(type) + value.flatMap { file.littleEndian($0) } + bytes)]
        }
    }

    static let damaged: [([UInt8], String)] = [
        (changed { $0.version = 1 }, "version 1"),
        (changed { $0.version = UInt32(3).byteSwapped }, "big-endian"),
        (changed { $0.claimedTensors = 1 << 63 }, "more than the file has room for"),
        (changed { $0.claimedTensors = .max }, "more than the file has room for"),
        (changed { $0.claimedFields = 1 << 40 }, "more than the file has room for"),
        (changed { $0.tensors[0].extents = [1, 1, 1, 1, 1] }, "5 dimensions"),
        (changed { $0.tensors[0].extents = [1 << 32, 1 << 32] }, "more numbers than can be"),
        (changed { $0.tensors[0].extents = [.max, .max] }, "more numbers than can be"),
        (changed { $0.tensors[0].extents = [1 << 61] }, "the file ends before"),
        (changed { $0.tensors[0].extents = [5] }, "the file ends before"),
        (changed { $0.tensors[0].type = 10 }, "Q2_K"),
        (changed { $0.tensors[0].type = 99 }, "number 99"),
        (changed { $0.tensors[0].type = 8 }, "no whole blocks of Q8_0"),
        (changed { $0.tensors[0].offset = 1 }, "unaligned"),
        (changed { $0.tensors[0].offset = .max }, "unaligned"),
        (changed { $0.tensors[0].offset = 32 }, "the file ends before"),
        (changed { $0.tensors += [RawGGUF.Tensor("b", [4])] }, "among those of another"),
        (
            changed {
                $0.tensors += [RawGGUF.Tensor("a", [0], offset: 32)]; $0.data += bytes
            }, "twice"
        ),
        (changed { $0.data = [] }, "the file ends before"),
        (field("general.alignment", 4, UInt32(0)), "alignment"),
        (field("general.alignment", 4, UInt32(24)), "alignment"),
        (field("x", 13), "type 13"),
        (field("x", 8, UInt64.max), "claims"),
        (field("x", 8, UInt64(2), then: [0xFF, 0xFE]), "no UTF-8"),
        (field("x", 9, UInt32(8), UInt64.max), "room for"),
        (field("x", 9, UInt32(12), UInt64(1 << 61)), "room for"),
        (field("x", 9, UInt32(9), UInt64(1)), "list"),
        (field("comfy.gguf.orig_shape.a", 9, UInt32(5), UInt64(1), UInt32(5)), "give the shape [5]"),
        (Array("GGUF".utf8), "longer than the file"),
    ]

    @Test(arguments: damaged)
    func isRefused(_ bytes: [UInt8], _ words: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("model.gguf", bytes)
        let error = #expect(throws: CheckpointError.self) { try GGUFFile(path: path) }
        #expect(error?.problem.contains(words) == true, "\(String(describing: error))")
    }

    /// A file that ends anywhere, and files with random bytes changed, are refused or read; nothing traps.
    @Test func anyDamageIsAnErrorAtMost() throws {
        let folder = try TemporaryFolder()
        let whole = try Array(contents(of: fixturePath("gguf/types.gguf")))
        var generator = SplitMix(seed: 5)
        var refused = 0
        for round in 0..<1500 {
            var bytes = whole
            if round < 500 {
                bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator))
            } else {
                for _ in 0..<Int.random(in: 1...6, using: &generator) {
                    bytes[Int.random(in: 0..<min(bytes.count, 1800), using: &generator)] = UInt8.random(
                        in: 0...255, using: &generator)
                }
            }
            let path = try folder.write("damaged.gguf", bytes)
            do {
                let file = try GGUFFile(path: path, storage: .copied)
                for name in file.names { _ = try file.tensor(named: name) }
            } catch is CheckpointError {
                refused += 1
            }
        }
        #expect(refused >= 500)
    }
}

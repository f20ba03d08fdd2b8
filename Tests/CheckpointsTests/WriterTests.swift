import Checkpoints
import Tensors
import TestSupport
import Testing

@Suite struct WriterTests {
    static let tensors: [(String, Tensor)] = [
        ("b", Tensor([1, 2, 3] as [Float])),
        ("a", Tensor([0.5] as [Double])),
        ("flags", Tensor([true, false])),
        ("é", Tensor([7] as [Int64], shape: [])),
        ("tab\t\"\\\u{1}", Tensor([1, -1] as [Int8])),
        ("a.half", Tensor([1, 2] as [Float]).to(.float16)),
        ("brain", Tensor([1, 2] as [Float]).to(.bfloat16)),
        ("empty", Tensor([] as [Float], shape: [0, 3])),
        ("small", Tensor([3] as [Int16])),
        ("int", Tensor([3] as [Int32])),
        ("byte", Tensor([3] as [UInt8])),
    ]

    /// The reference wrote the same tensors; the bytes must be the same.
    @Test func writesTheBytesOfTheReference() throws {
        let bytes = try SafetensorsWriter(Self.tensors, metadata: ["format": "pt"]).bytes()
        #expect(bytes == (try contents(of: fixturePath("checkpoints/written.safetensors"))))
        #expect(bytes == (try SafetensorsWriter(Self.tensors.reversed(), metadata: ["format": "pt"]).bytes()))
    }

    @Test func readsBackWhatItWrote() throws {
        let folder = try TemporaryFolder()
        let writer = try SafetensorsWriter(Self.tensors, metadata: ["b": "\n", "a": "é"])
        try writer.write(to: folder("x.safetensors"))
        #expect(try folder.names() == ["x.safetensors"])
        #expect(try contents(of: folder("x.safetensors")).count == writer.byteCount)
        let file = try SafetensorsFile(path: folder("x.safetensors"))
        #expect(file.metadata.names == ["a", "b"])
        #expect(file.metadata["b"] == "\n")
        #expect(file.names.count == Self.tensors.count)
        for (name, tensor) in Self.tensors {
            let read = try file.tensor(named: name)
            #expect(read.shape == tensor.shape && read.elementType == tensor.elementType)
            #expect(try read.withBytes(Array.init) == (try tensor.withBytes(Array.init)))
        }
    }

    @Test func writesTensorsThatAreNotContiguous() throws {
        let matrix = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]).transposed(0, 1)
        let folder = try TemporaryFolder()
        try SafetensorsWriter([("m", matrix)]).write(to: folder("m.safetensors"))
        let read = try SafetensorsFile(path: folder("m.safetensors")).tensor(named: "m")
        #expect(read.shape == [3, 2])
        #expect(try read.array(of: Float.self) == [1, 4, 2, 5, 3, 6])
    }

    @Test func keepsTheOldFileWhenWritingFails() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("x.safetensors", "old")
        let failed = Tensor([1, 2] as [Float]) + Tensor([1, 2, 3] as [Float])
        #expect(throws: (any Error).self) { try SafetensorsWriter([("x", failed)]) }
        let shapeOnly = Tensor.zeros([2], .float32, on: .meta)
        #expect(throws: (any Error).self) { try SafetensorsWriter([("x", shapeOnly)]).write(to: path) }
        #expect(try contents(of: path) == Array("old".utf8))
        #expect(try folder.names() == ["x.safetensors"])
    }

    @Test func refusesWhatCannotBeWritten() throws {
        let one = Tensor([1] as [Float])
        for (rows, words) in [
            ([("a", one), ("a", one)], "two tensors"),
            ([("__metadata__", one)], "rename it"),
        ] {
            #expect { try SafetensorsWriter(rows) } throws: { "\($0)".contains(words) }
        }
        let writer = try SafetensorsWriter([("\u{E9}", one), ("e\u{301}", one)])
        let folder = try TemporaryFolder()
        #expect { try writer.write(to: folder("no/such/x")) } throws: { "\($0)".contains("make it first") }
        #expect { try writer.write(to: folder.path) } throws: { "\($0)".contains("it is a folder") }
        #expect(try folder.names().isEmpty)
    }
}

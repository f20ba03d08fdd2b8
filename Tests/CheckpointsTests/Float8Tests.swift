import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

/// Numbers of eight bits are what PyTorch reads them as.
@Suite struct Float8Tests {
    @Test(arguments: ["e4m3", "e5m2"])
    func everyCodeHasItsValue(_ name: String) throws {
        let file = try SafetensorsFile(path: fixturePath("float8/values.safetensors"))
        #expect(file.elementType(of: "\(name).codes") == .float32)
        let found = try file.tensor(named: "\(name).codes").array(of: Float.self)
        let expected = try file.tensor(named: "\(name).values").array(of: Float.self)
        #expect(found.count == 256)
        for (code, (found, expected)) in zip(found, expected).enumerated() {
            #expect(
                found.bitPattern == expected.bitPattern || found.isNaN && expected.isNaN, "code \(code)")
        }
        #expect(try file.nonFiniteCount(of: "\(name).codes") == expected.count { !$0.isFinite })
    }

    /// A scale, one for the layer or one for each row, is part of the weight; what else belongs to it is not on offer.
    @Test func scalesAreMultipliedIn() throws {
        let source = ScaledSource.over(try SafetensorsFile(path: fixturePath("float8/scaled.safetensors")))
        let expanded = try SafetensorsFile(path: fixturePath("float8/expanded.safetensors"))
        #expect(Set(source.names) == Set(expanded.names))
        for name in expanded.names {
            #expect(source.elementType(of: name) == .float32)
            #expect(try source.tensor(named: name).isIdentical(to: expanded.tensor(named: name)), "\(name)")
        }
    }

    /// Names that only look like it stay on offer, so that a strict load reports them.
    @Test func whatIsNoScaleStays() throws {
        let plain = TensorDictionary(["a.weight": .zeros([2]), "b.scale_input": .zeros([1])])
        #expect(ScaledSource.over(plain).names == plain.names)
        let odd = TensorDictionary([
            "a.weight": .zeros([2]), "a.scale_weight": .zeros([3]), "b.scale_weight": .zeros([1]),
            "c.input_scale": .zeros([1]),
        ])
        let source = ScaledSource.over(odd)
        #expect(source.names == ["a.weight", "b.scale_weight", "c.input_scale"])
        let error = #expect(throws: CheckpointError.self) { try source.tensor(named: "a.weight") }
        #expect(error?.problem.contains("one for each row") == true)
    }

    /// The other small numbers of the format are refused by name.
    @Test(arguments: ["F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"])
    func otherTypesAreNamed(_ type: String) throws {
        let header = #"{"a":{"dtype":"\#(type)","shape":[2],"data_offsets":[0,2]}}"#
        let bytes =
            withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + header.utf8 + [0, 0]
        let folder = try TemporaryFolder()
        let file = try SafetensorsFile(path: folder.write("a.safetensors", bytes))
        #expect(file.elementType(of: "a") == nil)
        let error = #expect(throws: CheckpointError.self) { try file.tensor(named: "a") }
        #expect(error?.problem.contains(type) == true)
    }
}

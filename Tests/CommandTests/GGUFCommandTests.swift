import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

/// Models in GGUF files through the program.
@Suite struct GGUFCommandTests {
    /// A whole model in GGUF gives the picture of the same weights in safetensors; so does what `convert` makes of it.
    @Test func aModelGivesTheSamePicture() throws {
        let tiny = try TinyCheckpoint()
        let plain = try tiny.file()
        let gguf = try tiny.folder.write("one.gguf", Self.file(tiny.original).bytes)
        let expected = try tiny.pixels(plain, "--config", tiny.path)
        #expect(try tiny.pixels(gguf, "--config", tiny.path) == expected)
        let converted = tiny.folder("converted.safetensors")
        #expect(try Program.run(["convert", gguf, converted]).code == 0)
        let (found, wanted) = (try SafetensorsFile(path: converted), try SafetensorsFile(path: plain))
        #expect(Set(found.names) == Set(wanted.names))
        for name in wanted.names {
            #expect(try found.tensor(named: name).isIdentical(to: wanted.tensor(named: name)), "\(name)")
        }
    }

    @Test func inspectNamesTheTypes() throws {
        let outcome = try Program.run(["inspect", fixturePath("gguf/types.gguf"), "--json"])
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(outcome.output.contains(#""Q4_K.weight""#) && outcome.output.contains(#""Q6_K""#))
        #expect(outcome.output.contains(#""general.name""#))
    }

    @Test func aCutFileIsRefused() throws {
        let folder = try TemporaryFolder()
        let whole = try Array(contents(of: fixturePath("gguf/types.gguf")))
        let path = try folder.write("cut.gguf", whole.dropLast(4000))
        try Program.expectRefused(["inspect", path], "fetch it again")
        try Program.expectRefused(["convert", path, folder("out.safetensors")], "fetch it again")
    }

    private static func file(_ tensors: [(String, Tensor)]) throws -> RawGGUF {
        var file = RawGGUF()
        for (name, tensor) in tensors {
            file.data += [UInt8](repeating: 0, count: (32 - file.data.count % 32) % 32)
            file.tensors.append(
                RawGGUF.Tensor(
                    name, tensor.shape.reversed().map(UInt64.init), offset: UInt64(file.data.count)))
            file.data += try tensor.array(of: Float.self).flatMap { file.littleEndian($0.bitPattern) }
        }
        return file
    }
}

import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Models whose weights are kept in eight bits, through the program.
@Suite struct Float8CommandTests {
    /// The values of the 256 codes of a type, as PyTorch has them.
    private static func values(_ name: String) throws -> [Float] {
        try SafetensorsFile(path: fixturePath("float8/values.safetensors"))
            .tensor(named: "\(name).values").array(of: Float.self)
    }

    /// The nearest code of each number.
    private static func codes(_ tensor: Tensor, _ values: [Float]) throws -> [UInt8] {
        let order = values.indices.filter { values[$0].isFinite }.sorted { values[$0] < values[$1] }
        return try tensor.array(of: Float.self).map { number in
            let next = order.firstIndex { values[$0] >= number } ?? order.count - 1
            let before = max(next - 1, 0)
            let isNearer = abs(values[order[before]] - number) < abs(values[order[next]] - number)
            return UInt8(order[isNearer ? before : next])
        }
    }

    /// A safetensors file of matrices in eight bits, each with a scale where there is one, and everything else as it is.
    private static func file(
        _ tensors: [(String, Tensor)], _ type: String, _ codes: [String: [UInt8]], scale: Float?
    ) throws -> [UInt8] {
        var (members, data): ([String], [UInt8]) = ([], [])
        func add(_ name: String, _ type: String, _ shape: [Int], _ bytes: [UInt8]) {
            members.append(
                #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[\#(data.count),\#(data.count + bytes.count)]}"#
            )
            data += bytes
        }
        func bytes(_ values: [Float]) -> [UInt8] { values.flatMap { withUnsafeBytes(of: $0, Array.init) } }
        for (name, tensor) in tensors {
            guard let codes = codes[name] else {
                add(name, "F32", tensor.shape.extents, bytes(try tensor.array(of: Float.self)))
                continue
            }
            add(name, type, tensor.shape.extents, codes)
            if let scale { add(name.replacing("weight", with: "scale_weight"), "F32", [], bytes([scale])) }
        }
        if scale != nil { add("model.diffusion_model.scaled_fp8", type, [2], [0, 0]) }
        let header = Array("{\(members.joined(separator: ","))}".utf8)
        return withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header + data
    }

    @Test(arguments: [("e4m3", "F8_E4M3", nil), ("e5m2", "F8_E5M2", nil), ("e4m3", "F8_E4M3", Float(0.37))])
    func aFileIsItsExpansion(_ name: String, _ type: String, _ scale: Float?) throws {
        let tiny = try TinyCheckpoint()
        let values = try Self.values(name)
        // The U-Net and the text encoder; the published files leave the autoencoder as it is.
        let matrices = tiny.original.filter { name, tensor in
            tensor.rank > 1 && name.hasSuffix(".weight") && !name.hasPrefix("first_stage_model.")
        }
        var (codes, expanded): ([String: [UInt8]], [String: Tensor]) = ([:], [:])
        for (name, tensor) in matrices {
            let found = try Self.codes(tensor * Double(1 / (scale ?? 1)), values)
            codes[name] = found
            let plain = Tensor(found.map { values[Int($0)] }, shape: tensor.shape)
            expanded[name] = scale.map { plain * Tensor([$0]) } ?? plain
        }
        let small = try tiny.folder.write(
            "small.safetensors", Self.file(tiny.original, type, codes, scale: scale))
        let plain = try tiny.folder.write(
            "plain.safetensors",
            SafetensorsWriter(tiny.original.map { ($0, expanded[$0] ?? $1) }).bytes())
        let expected = try tiny.latents(plain, "--config", tiny.path).values
        #expect(!expected.contains { !$0.isFinite })
        #expect(try expected != tiny.latents(tiny.path).values)
        #expect(try tiny.latents(small, "--config", tiny.path).values == expected)
        let written = tiny.folder("written")
        let outcome = try Program.run("convert", small, written, "--config", tiny.path)
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(try tiny.latents(written).values == expected)
        let same = tiny.folder("same.safetensors")
        #expect(try Program.run("convert", small, same).code == 0)
        #expect(try tiny.latents(same, "--config", tiny.path).values == expected)
    }

    /// A folder's part, as others save it.
    @Test func aFoldersPartIsItsExpansion() throws {
        let tiny = try TinyCheckpoint()
        let values = try Self.values("e4m3")
        let path = "\(tiny.path)/text_encoder/model.safetensors"
        let file = try SafetensorsFile(path: path, storage: .copied)
        let tensors = try file.names.map { ($0, try file.tensor(named: $0)) }
        var codes: [String: [UInt8]] = [:]
        for (name, tensor) in tensors where tensor.rank > 1 { codes[name] = try Self.codes(tensor, values) }
        let expanded = tensors.map { name, tensor in
            (name, codes[name].map { Tensor($0.map { values[Int($0)] }, shape: tensor.shape) } ?? tensor)
        }
        try tiny.folder.write("model/text_encoder/model.safetensors", SafetensorsWriter(expanded).bytes())
        let expected = try tiny.latents(tiny.path).values
        try tiny.folder.write(
            "model/text_encoder/model.safetensors", Self.file(tensors, "F8_E4M3", codes, scale: nil))
        #expect(try tiny.latents(tiny.path).values == expected)
        try tiny.folder.write(
            "model/text_encoder/model.safetensors", Self.file(tensors, "F8_E8M0", codes, scale: nil))
        try tiny.expectRefused(tiny.path, saying: "F8_E8M0")
    }

    /// PyTorch keeps such tensors in storages of bytes, and their type beside them.
    @Test func aPickleIsItsExpansion() throws {
        let folder = try TemporaryFolder()
        let output = folder("out.safetensors")
        let outcome = try Program.run("convert", fixturePath("float8/pickled.pt"), output)
        #expect(outcome.code == 0, "\(outcome.messages)")
        let written = try SafetensorsFile(path: output)
        for name in ["e4m3", "e5m2"] {
            let found = try written.tensor(named: name).array(of: Float.self)
            let expected = try Self.values(name)
            #expect(found.count == expected.count)
            for (found, expected) in zip(found, expected) {
                #expect(found.bitPattern == expected.bitPattern || found.isNaN && expected.isNaN)
            }
        }
    }
}

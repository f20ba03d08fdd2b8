import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// Where float16 overflows in an encoder it runs again in float32, and the picture is that of float32.
@Suite struct RecoveryTests {
    /// A checkpoint one of whose parts makes numbers beyond float16, which a norm after them brings back.
    private struct Model {
        let folder: TemporaryFolder
        let fixture: Fixture

        init(_ name: String, changing part: String, _ tensor: String, by factor: Double) throws {
            (folder, fixture) = (try TemporaryFolder(), try Fixture("pipelines/\(name)"))
            try fixture.write("model", to: folder("model")) {
                $0 == part && $1.hasSuffix(tensor) ? $2 * factor : $2
            }
            // Else it runs in float32 from the beginning.
            var vae = try ModelFolder(folder("model/vae")).configuration()
            vae["force_upcast"] = false
            try ModelFolder(folder("model/vae")).write(vae)
            for name in ["image", "mask"] where fixture.file.names.contains(name) {
                let shape = try fixture.tensor(name).shape
                try Picture(
                    width: shape[1], height: shape[0], channels: shape.count == 3 ? shape[2] : 1,
                    pixels: fixture.array(name)
                ).write(to: URL(fileURLWithPath: folder("\(name).png")))
            }
        }

        func latents(_ type: String, _ options: [String]) throws -> (latents: Tensor, messages: String) {
            let path = folder("\(type).safetensors")
            let outcome = try Program.run(
                [
                    "generate", "a cat", "--model", folder("model"), "--dtype", type, "--steps", "4", "-o",
                    path,
                ] + options)
            #expect(outcome.code == 0, "\(outcome.messages)")
            return (
                try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples"), outcome.messages
            )
        }

        func expectRecovery(of part: String, _ options: String...) throws {
            let (expected, silent) = try latents("float32", options)
            let (found, messages) = try latents("float16", options)
            #expect(!silent.contains("overflows"))
            let lines = messages.split(separator: "\n").filter { $0.contains("float16 overflows in \(part)") }
            #expect(lines.count == 1, "\(messages)")
            expectClose(found, expected, ofLargest: 3e-2)
        }
    }

    @Test func anEncoderOfPicturesRecovers() throws {
        let model = try Model("sd-img2img", changing: "vae", "encoder.conv_in.weight", by: 1e6)
        try model.expectRecovery(
            of: "this model's autoencoder", "--image", model.folder("image.png"), "--strength", "0.6")
    }

    @Test func anEncoderOfMaskedPicturesRecovers() throws {
        let model = try Model("sd-inpaint9", changing: "vae", "encoder.conv_in.weight", by: 1e6)
        try model.expectRecovery(
            of: "this model's autoencoder", "--image", model.folder("image.png"), "--mask",
            model.folder("mask.png"))
    }

    @Test func aTextEncoderRecovers() throws {
        let model = try Model("sd1", changing: "text_encoder", "layers.0.mlp.fc2.weight", by: 1e7)
        try model.expectRecovery(of: "text_encoder")
    }

    /// T5 clamps what its blocks give, so that only its table of words can overflow.
    @Test func aT5EncoderRecovers() throws {
        let model = try Model("sd3", changing: "text_encoder_3", "shared.weight", by: 1e6)
        try model.expectRecovery(of: "text_encoder_3")
    }

    @Test func whatIsNotFiniteInFloat32EitherIsTheEncodersFault() throws {
        let model = try Model("sd-img2img", changing: "vae", "encoder.conv_in.weight", by: .infinity)
        let outcome = try Program.run(
            "generate", "a cat", "--model", model.folder("model"), "--image", model.folder("image.png"),
            "--dtype", "float16", "-o", model.folder("out.png"))
        #expect(outcome.code == 2)
        let error = outcome.messages.split(separator: "\n").last ?? ""
        #expect(error.hasPrefix("error: the autoencoder gave the latents of the picture numbers"), "\(error)")
        #expect(error.contains("'encoder.conv_in'"), "\(error)")
    }
}

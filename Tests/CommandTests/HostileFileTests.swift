import Checkpoints
import Foundation
import Storage
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Rows of the reliability plan as the program answers them: files that deceive are refused in a sentence, in a second
/// and 64 MiB. Each row for itself is tested in the room that reads the file.
@Suite struct HostileFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func header(_ text: String, data: Int = 0, claimed: UInt64? = nil) -> [UInt8] {
        let length = claimed ?? UInt64(text.utf8.count)
        return withUnsafeBytes(of: length.littleEndian, Array.init) + text.utf8
            + [UInt8](repeating: 0, count: data)
    }

    /// A7, A11, A27, A32: sizes and texts that must not be trusted.
    @Test func tensorsThatDeceive() throws {
        func tensor(_ shape: String, _ range: String) -> String {
            #"{"dtype":"F32","shape":\#(shape),"data_offsets":\#(range)}"#
        }
        let cases: [(String, [UInt8], String)] = [
            ("A7", header("{}", claimed: .max - 7), "allowed"),
            ("A11", header(#"{"a":{"x":"# + String(repeating: "[", count: 100_000)), "deeper than 127"),
            ("A27", header(#"{"a":\#(tensor("[2,9223372036854775807]", "[0,4]"))}"#, data: 4), "overflows"),
            (
                "A32", header(#"{"__metadata__":{"a":"\#(String(repeating: "x", count: 50_000_000))"}}"#),
                "a string has more than 16777216 bytes"
            ),
        ]
        for (name, bytes, words) in cases {
            let path = try folder.write("\(name).safetensors", bytes)
            try Program.expectRefused(["inspect", path], words)
        }
        #expect(try folder.names().count == cases.count)
    }

    /// A42: weights that are no numbers are accepted, and counted on request. A43: a name is a key and nothing else.
    @Test func strangeTensorsAreShown() throws {
        let values = [Float.nan, .infinity, 1].flatMap {
            withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init)
        }
        let text = #"{"../../x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#
        let path = try folder.write("strange.safetensors", header(text) + values)
        let quick = try Program.run("inspect", path)
        #expect(quick.code == 0 && quick.output.contains("../../x") && !quick.output.contains("finite"))
        let outcome = try Program.run("inspect", path, "--check")
        #expect(outcome.code == 0 && outcome.output.contains("../../x"))
        #expect(outcome.output.contains("warning: 2 values are not finite"))
        #expect(try folder.names() == ["strange.safetensors"])
    }

    /// A45: what is no file is not waited for.
    @Test func whatIsNoFileIsRefused() throws {
        let pipe = folder("pipe.safetensors")
        #expect(mkfifo(pipe, 0o600) == 0)
        try FileManager.default.createSymbolicLink(
            atPath: folder("zero.safetensors"), withDestinationPath: "/dev/zero")
        try Program.expectRefused(["inspect", pipe], "pipe or device")
        try Program.expectRefused(
            ["generate", "x", "--model", folder("zero.safetensors"), "-o", folder("x.png")],
            "zero.safetensors")
    }

    /// D1, D9: pictures that deceive, as the picture that another one is made of.
    @Test func picturesThatDeceive() throws {
        let model = try LatentModel()
        let start: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + "IHDR".utf8
        let cases: [(String, [UInt8], String)] = [
            ("D1", start + [0, 0, 255, 255, 0, 0, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0], "65535×65535"),
            ("D9", Array("<svg/>".utf8), "markup"),
        ]
        for (name, bytes, words) in cases {
            let path = try model.folder.write("\(name).png", bytes)
            try Program.expectRefused(
                [
                    "generate", "x", "--model", model.path, "--image", path, "-o", model.folder("never.png"),
                ], words)
        }
        #expect(!FileManager.default.fileExists(atPath: model.folder("never.png")))
    }

    /// B1, B2, B5, B7 to B9 in a model's folder: what `generate` is refused for, and the key that it names.
    @Test func modelsThatDeceive() throws {
        let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        let cases: [(String, String, String, String)] = [
            ("B1", "model_index.json", #""_class_name": "HopePipeline""#, "HopePipeline"),
            ("B9", "model_index.json", #""vae": \#(deep)"#, "model_index.json"),
            ("B2", "unet/config.json", #""_class_name": "os.system""#, "os.system"),
            ("B5", "unet/config.json", #""block_out_channels": [1000000000]"#, "block_out_channels"),
            ("B7", "unet/config.json", #""sample_size": 1000000"#, "sample_size"),
            ("B5", "vae/config.json", #""block_out_channels": []"#, "block_out_channels"),
            ("B8", "scheduler/scheduler_config.json", #""prediction_type": "hope""#, "hope"),
        ]
        for (_, file, member, words) in cases {
            let model = try LatentModel()
            try model.replace(member, in: file)
            try Program.expectRefused(
                ["generate", "x", "--model", model.path, "-o", model.folder("x.png")], words)
            #expect(!FileManager.default.fileExists(atPath: model.folder("x.png")))
        }
    }

    /// B11: keys that nothing reads are passed over with a line that names them.
    @Test func keysThatNothingReadsAreNamed() throws {
        let tiny = try TinyCheckpoint()
        for file in ["unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"] {
            try tiny.edit(file, ["frobnicate": ["a": [1]]])
        }
        try tiny.edit("text_encoder/config.json", ["hidden_actt": "gelu"])
        let notes = try tiny.latents(tiny.path).messages.split(separator: "\n")
            .filter { $0.hasPrefix("note: ") }
        #expect(notes.count == 4)
        #expect(notes.count { $0.hasSuffix(#"nothing reads "frobnicate""#) } == 3)
        let names = #"text_encoder/config.json: nothing reads "hidden_actt""#
        #expect(notes.contains { $0.hasSuffix(names) })
        // What is refused is one sentence, without them.
        try FileManager.default.removeItem(atPath: tiny.path + "/unet/diffusion_pytorch_model.safetensors")
        try Program.expectRefused(
            TinyCheckpoint.request(tiny.path, tiny.folder("never.png")), "diffusion_pytorch_model.safetensors"
        )
    }
}

/// A folder of Stable Diffusion with configurations and no weights.
struct LatentModel {
    let folder: TemporaryFolder
    var path: String { folder("model") }

    init() throws {
        folder = try TemporaryFolder()
        for part in ["unet", "vae", "scheduler", "text_encoder", "tokenizer"] {
            try FileManager.default.createDirectory(
                atPath: path + "/" + part, withIntermediateDirectories: true)
        }
        let files = [
            "model_index.json": """
            {"_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "DDIMScheduler"],
             "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
            """,
            "unet/config.json": """
            {"_class_name": "UNet2DConditionModel", "sample_size": 8, "block_out_channels": [32],
             "down_block_types": ["CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D"],
             "cross_attention_dim": 16}
            """,
            "vae/config.json": #"{"_class_name": "AutoencoderKL"}"#,
            "scheduler/scheduler_config.json": #"{"_class_name": "DDIMScheduler"}"#,
            "text_encoder/config.json":
                #"{"architectures": ["CLIPTextModel"], "hidden_size": 16, "num_attention_heads": 2}"#,
        ]
        for (name, text) in files { try folder.write("model/" + name, text) }
        for name in try folderNames(fixturePath("tokenizers/clip-sd1")) {
            try folder.write(
                "model/tokenizer/" + name, contents(of: fixturePath("tokenizers/clip-sd1/\(name)")))
        }
    }

    /// Gives a member of a JSON file another value, or the file another member.
    func replace(_ member: String, in file: String) throws {
        let text = String(decoding: folder.bytes("model/" + file), as: UTF8.self)
        let object = try #require(JSONObject(json: JSONValue(parsing: text.utf8, place: file)))
        let key = try #require(member.split(separator: "\"").first)
        let others = object.keys.filter { $0 != key }
            .map { "\"\($0)\": \(object[$0]?.text ?? "null")" }
        try folder.write("model/" + file, "{" + (others + [member]).joined(separator: ", ") + "}")
    }
}

import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Which files of a model's folder are taken, and what those are called that are something else.
@Suite struct FolderWeightsTests {
    private let tiny: TinyCheckpoint

    init() throws { tiny = try TinyCheckpoint() }

    /// Parts that lack a variant are opened plainly, as diffusers does, and named.
    @Test func aVariantIsOfEachPart() throws {
        let unet = try SafetensorsFile(
            path: "\(tiny.path)/unet/diffusion_pytorch_model.safetensors", storage: .copied)
        let other = try unet.names.map { ($0, try unet.tensor(named: $0) * 0.5) }
        try tiny.folder.write(
            "model/unet/diffusion_pytorch_model.half.safetensors", SafetensorsWriter(other).bytes())
        let plain = try tiny.latents(tiny.path)
        #expect(!plain.messages.contains("variant"))
        let half = try tiny.latents(tiny.path, "--variant", "half")
        #expect(half.values != plain.values)
        let notes = half.messages.split(separator: "\n").filter { $0.contains("variant 'half'") }
        #expect(notes.count == 1 && notes[0].contains("vae") && notes[0].contains("text_encoder"))
        #expect(!notes[0].contains("unet,") && !notes[0].contains("unet:"))
        let written = tiny.folder("written")
        let outcome = try Program.run("convert", tiny.path, written, "--variant", "half")
        #expect(outcome.code == 0 && outcome.messages.contains("variant 'half'"), "\(outcome.messages)")
        #expect(try tiny.latents(written).values == half.values)
        try tiny.expectRefused(tiny.path, "--variant", "bf16", saying: "no weights of the variant 'bf16'")
        try Program.expectRefused(
            ["convert", tiny.path, tiny.folder("again"), "--variant", "bf16"],
            "no weights of the variant 'bf16'")
        try Program.expectRefused(
            ["convert", tiny.path + "/vae", tiny.folder("again"), "--variant", "half"],
            "no weights of the variant 'half'")
        let file = try tiny.file()
        try tiny.expectRefused(
            file, "--config", tiny.path, "--variant", "half", saying: "leave out --variant")
    }

    private static let pointer = """
        version https://git-lfs.github.com/spec/v1
        oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
        size 12345

        """
    private static let page = "\n<!doctype HTML>\n<html><head><title>Not found</title></head></html>"
    private static let files = [
        "model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
        "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt",
        "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json",
        "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    ]

    /// Every file of a folder that is something else is called what it is, for pictures and for a conversion.
    @Test(arguments: files)
    func whatIsNoFileOfAModelIsNamed(_ name: String) throws {
        let pickle = try contents(of: fixturePath("pickles/archive.pt"))
        let legacy = try contents(of: fixturePath("pickles/legacy.bin"))
        for (bytes, words) in [
            (Array(Self.pointer.utf8), "pointer of Git LFS"), (Array(Self.page.utf8), "web page"),
            ([], "empty"),
            (pickle, "pickle"), (legacy, "pickle"),
        ] {
            try tiny.folder.write("model/" + name, bytes)
            var calls = [TinyCheckpoint.request(tiny.path, tiny.folder("never.png"))]
            if words.contains("Git") { calls.append(["convert", tiny.path, tiny.folder("never")]) }
            for arguments in calls {
                let outcome = try Program.run(arguments)
                #expect(outcome.code == 2, "\(words): \(outcome.messages)")
                let last = outcome.messages.split(separator: "\n").last ?? ""
                #expect(last.contains(words) && last.contains(name), "\(arguments[0]), \(words): \(last)")
            }
        }
        #expect(try !tiny.folder.names().contains { $0.hasPrefix("never") })
    }

    /// A damaged file is never passed over for a pickle beside it.
    @Test func aPickleDoesNotStandInForWhatIsDamaged() throws {
        try tiny.folder.write("model/unet/diffusion_pytorch_model.safetensors", Self.pointer)
        try tiny.folder.write(
            "model/unet/diffusion_pytorch_model.bin", contents(of: fixturePath("pickles/archive.pt")))
        try Program.expectRefused(["convert", tiny.path, tiny.folder("written")], "pointer of Git LFS")
    }

    /// The length of a header may be made of the bytes that begin a pickle or a page.
    @Test(arguments: [0x0280, 0x0480, 0x213C, 0x683C])
    func aHeaderOfAnyLengthIsAHeader(_ length: Int) throws {
        let entry = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#
        let header = entry + String(repeating: " ", count: length - entry.utf8.count - 1) + "}"
        let bytes = withUnsafeBytes(of: UInt64(length).littleEndian, Array.init) + header.utf8 + [0, 0, 0, 0]
        let path = try tiny.folder.write("odd.safetensors", bytes)
        let outcome = try Program.run("convert", path, tiny.folder("same.safetensors"))
        #expect(outcome.code == 0, "\(outcome.messages)")
    }
}

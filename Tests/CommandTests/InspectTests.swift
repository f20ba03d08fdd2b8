import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct InspectTests {
    @Test func publishedConfigurationsHaveTheirPublishedCounts() throws {
        let folder = try TemporaryFolder()
        let cases: [(String, String, Int)] = [
            (
                "ddpm-cifar10",
                """
                {"_class_name": "UNet2DModel", "sample_size": 32, "block_out_channels": [128, 256, 256, 256],
                 "layers_per_block": 2, "attention_head_dim": null, "norm_eps": 1e-6, "downsample_padding": 0,
                 "flip_sin_to_cos": false, "freq_shift": 1,
                 "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
                 "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]}
                """, 35_746_307
            ),
            (
                "ldm-celebahq",
                "{\"_class_name\": \"UNet2DModel\", \"block_out_channels\": [224, 448, 672, 896], \"attention_head_dim\": 32}",
                274_056_163
            ),
            ("annotated", "{\"_class_name\": \"AnnotatedUNet\", \"dim\": 28}", 2_996_315),
        ]
        for (name, text, count) in cases {
            try FileManager.default.createDirectory(atPath: folder(name), withIntermediateDirectories: true)
            try folder.write("\(name)/config.json", text.utf8)
            let outcome = try Program.run("inspect", folder(name), "--json")
            #expect(outcome.code == 0, "\(outcome.messages)")
            #expect(try outcome.json()["parameters"] as? Int == count)
        }
    }

    @Test func runsTensorsAndPicturesAreSeenThrough() throws {
        let tiny = try TinyModel()
        let model = try Program.run("inspect", tiny.run, "--json").json()
        #expect(model["family"] as? String == "ddpm")
        let components = try #require(model["components"] as? [String: [String: Any]])
        #expect(components["unet"]?["class"] as? String == "UNet2DModel")
        let weights = tiny.model + "/unet/diffusion_pytorch_model.safetensors"
        let file = try Program.run("inspect", weights, "--json").json()
        #expect(file["parameters"] as? Int == components["unet"]?["parameters"] as? Int)
        #expect(file["non_finite"] as? Int == 0)
        #expect(try Program.run("sample", tiny.run, "-o", tiny.folder("x.png"), "--seed", "5").code == 0)
        let picture = try Program.run("inspect", tiny.folder("x.png"), "--json").json()
        #expect(picture["width"] as? Int == 8)
        #expect((picture["texts"] as? [String: String])?["parameters"]?.contains("Seed: 5") == true)
        for path in [tiny.run, weights, tiny.folder("x.png")] {
            let plain = try Program.run("inspect", path)
            #expect(plain.code == 0 && plain.output.count > 20)
        }
    }

    @Test func whatIsNoneOfTheseIsRefused() throws {
        let folder = try TemporaryFolder()
        try Program.expectRefused(["inspect", folder("none")], "there is no")
        try Program.expectRefused(["inspect", folder.path], "model_index.json")
        try folder.write("x.safetensors", "nonsense".utf8)
        try Program.expectRefused(["inspect", folder("x.safetensors")], "x.safetensors")
        try folder.write("x.png", "<svg></svg>".utf8)
        try Program.expectRefused(["inspect", folder("x.png")], "x.png")
    }

    @Test func theProgramExplainsItself() throws {
        for arguments in [["--help"], ["train", "--help"], ["sample", "--help"], ["--version"]] {
            let outcome = try Program.run(arguments)
            #expect(outcome.code == 0 && !outcome.output.isEmpty && outcome.messages.isEmpty)
        }
        #expect(try Program.run("frobnicate").code == 2)
    }
}

import Checkpoints
import Foundation
import Layers
import Storage
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
            ("consistency-decoder", "{\"_class_name\": \"ConsistencyDecoderVAE\"}", 655_441_366),
            (
                // From memory; diffusers counts as many, and the published 450 million agree.
                "if-ii-m",
                """
                {"_class_name": "UNet2DConditionModel", "sample_size": 256, "in_channels": 6, "out_channels": 6,
                 "act_fn": "gelu", "block_out_channels": [128, 256, 512, 768], "layers_per_block": [2, 4, 6, 6],
                 "down_block_types": ["ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D",
                  "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"],
                 "up_block_types": ["SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D",
                  "ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"],
                 "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "attention_head_dim": 64,
                 "cross_attention_dim": 768, "cross_attention_norm": "group_norm", "encoder_hid_dim": 4096,
                 "encoder_hid_dim_type": "text_proj", "addition_embed_type": "text",
                 "class_embed_type": "timestep", "only_cross_attention": true,
                 "mid_block_only_cross_attention": true, "resnet_out_scale_factor": 1.4142,
                 "resnet_skip_time_act": true, "resnet_time_scale_shift": "scale_shift",
                 "time_embedding_act_fn": "gelu"}
                """, 451_805_190
            ),
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
        let file = try Program.run("inspect", weights, "--json", "--check").json()
        #expect(try Program.run("inspect", weights, "--json").json()["non_finite"] == nil)
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

    /// Tied tensors, tokenizers, settings and absent components of an index.
    @Test func everyKindOfComponentIsListed() throws {
        let folder = try TemporaryFolder()
        let text = CheckpointFamily.stableDiffusion3Medium.configurations(TensorDictionary([:]))
        try ModelFolder(folder("text_encoder_3")).write(text[.textEncoder3]!)
        var index: JSONObject = [
            "_class_name": "StableDiffusion3Pipeline", "force_zeros": true, "vae": [.null, .null],
            "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
            "text_encoder_3": ["transformers", "T5EncoderModel"],
            "tokenizer_3": ["transformers", "T5TokenizerFast"],
        ]
        try ModelFolder(folder.path).write(index, to: "model_index.json")
        let json = try Program.run("inspect", folder.path, "--json").json()
        #expect(json["family"] as? String == "sd3" && json["parameters"] as? Int == 4_762_310_656)
        let components = try #require(json["components"] as? [String: [String: Any]])
        #expect(Set(components.keys) == ["scheduler", "text_encoder_3", "tokenizer_3"])
        #expect(components["tokenizer_3"]?["parameters"] == nil)
        for (key, value, words) in [
            ("text_encoder_3", ["transformers", "Evil"] as JSONValue, #""Evil" is not known"#),
            ("../unet", ["diffusers", "UNet2DModel"], "cannot be the folder"),
            ("scheduler", ["diffusers"], "a list of a library and a class"),
        ] {
            var wrong = index
            wrong[key] = value
            try ModelFolder(folder.path).write(wrong, to: "model_index.json")
            try Program.expectRefused(["inspect", folder.path, "--json"], words)
        }
        index["_class_name"] = "../Pipeline"
        try ModelFolder(folder.path).write(index, to: "model_index.json")
        try Program.expectRefused(["inspect", folder.path], "is not known here")
        try Program.expectRefused(["inspect", folder.path, "--depth", "0"], "--depth")
    }

    /// A single file is recognised, taken apart, and what is not its family's is listed.
    @Test func aSingleFileIsTakenApart() throws {
        let folder = try TemporaryFolder()
        var tensors: [(String, Tensor)] = [
            ("model.diffusion_model.input_blocks.0.0.weight", .zeros([4, 4, 3, 3])),
            ("model.diffusion_model.input_blocks.1.0.in_layers.0.weight", .zeros([4])),
            ("model.diffusion_model.input_blocks.1.1.proj_in.weight", .zeros([4, 4])),
            ("cond_stage_model.transformer.text_model.embeddings.position_ids", .zeros([1, 77])),
            ("cond_stage_model.transformer.text_model.final_layer_norm.weight", .ones([6])),
            ("betas", .zeros([10])), ("odd.one", .zeros([3])),
        ]
        try SafetensorsWriter(tensors).write(to: folder("one.safetensors"))
        let json = try Program.run("inspect", folder("one.safetensors"), "--json").json()
        #expect(json["family"] as? String == "sd" && json["parameters"] as? Int == 144 + 4 + 16 + 6)
        let components = try #require(json["components"] as? [String: [String: Any]])
        #expect(Set(components.keys) == ["scheduler", "text_encoder", "unet"])
        #expect(components["unet"]?["parameters"] as? Int == 164)
        #expect(components["unet"]?["published"] as? Bool == false)
        let file = try #require(json["file"] as? [String: Any])
        #expect(file["layout"] as? String == "sd1" && file["strays"] as? [String] == ["odd.one"])
        #expect((file["set_aside"] as? [[String: String]])?.count == 2)
        let text = try Program.run("inspect", folder("one.safetensors")).output
        for words in [
            "layout of 'sd1'", "warning: 1 tensors belong to nothing", "computed", "(sizes of its own)",
        ] {
            #expect(text.contains(words), "\(text)")
        }
        tensors.append(("first_stage_model.quantize.embedding.weight", .zeros([3, 3])))
        try SafetensorsWriter(tensors).write(to: folder("two.safetensors"))
        let unknown = try Program.run("inspect", folder("two.safetensors"), "--json").json()
        #expect((unknown["tensors"] as? [Any])?.count == tensors.count)
    }

    @Test func aPickleIsNotOpened() throws {
        // The command that makes something of it stands in the sentence.
        let pickle = fixturePath("pickles/archive.pt")
        for call in [
            ["inspect", pickle], ["sample", pickle, "-o", "x.png"],
            ["generate", "a cat", "--model", pickle, "-o", "x.png"],
        ] {
            try Program.expectRefused(call, "convert it first")
            try Program.expectRefused(call, "'langevin convert \(pickle) OUT.safetensors'")
        }
    }

    @Test func theProgramExplainsItself() throws {
        for arguments in [["--help"], ["train", "--help"], ["sample", "--help"], ["--version"]] {
            let outcome = try Program.run(arguments)
            #expect(outcome.code == 0 && !outcome.output.isEmpty && outcome.messages.isEmpty)
        }
        #expect(try Program.run("frobnicate").code == 2)
    }
}

import Diffusion
import Foundation
import Networks
import TestSupport
import Testing
import Training

@Suite struct RecipeTests {
    /// The message that reading `yaml` ends with.
    private func message(_ yaml: String, _ changes: String...) -> String {
        do {
            _ = try Recipe(yaml: yaml, name: "r.yaml", changes: changes)
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test func emptyTextIsTheDefaults() throws {
        #expect(try Recipe(yaml: "") == Recipe())
        #expect(try Recipe(yaml: "# nothing\ntraining:\n") == Recipe())
    }

    @Test func everySectionIsRead() throws {
        let recipe = try Recipe(
            yaml: """
                seed: 7
                data: {kind: folder, path: /pictures, size: 32, channels: 3, flip: true, split: all}
                model:
                  kind: unet2d
                  class_conditional: true
                  sample_size: 16
                  block_out_channels: [32, 64]
                  down_block_types: [DownBlock2D, AttnDownBlock2D]
                  up_block_types: [AttnUpBlock2D, UpBlock2D]
                  attention_head_dim: null
                diffusion: {schedule: squaredcos_cap_v2, prediction: v, train_steps: 100, label_dropout: 0}
                training: {steps: 12, batch_size: 3, learning_rate: 1e-3, precision: bfloat16, device: "cuda:1"}
                evaluation: {steps: 20, guidance: 3, count: 9}
                """)
        #expect(recipe.seed == 7)
        #expect(recipe.data.kind == .folder && recipe.data.path == "/pictures" && recipe.data.size == 32)
        #expect(recipe.data.channels == 3 && recipe.data.flip && recipe.data.split == .all)
        #expect(recipe.model.conditioning == .classes)
        let unet = try #require(recipe.model.network.settings as? UNet2DConfiguration)
        #expect(
            unet.sampleSize == .square(16) && unet.blockOutChannels == [32, 64]
                && unet.attentionHeadDim == nil)
        #expect(unet.upBlockTypes == [.attention, .plain] && unet.normNumGroups == 32)
        #expect(
            recipe.diffusion.values["schedule"] == .word("squaredcos_cap_v2")
                && recipe.diffusion.prediction == "v")
        #expect(
            recipe.diffusion.values["train_steps"] == .number(100) && recipe.diffusion.conditionDropout == 0)
        #expect(recipe.training.steps == 12 && recipe.training.batchSize == 3)
        #expect(recipe.training.learningRate == 1e-3 && recipe.training.precision == .bfloat16)
        #expect(recipe.training.device == "cuda:1")
        #expect(
            recipe.evaluation.steps == 20 && recipe.evaluation.guidance == 3 && recipe.evaluation.count == 9)
    }

    @Test func annotatedNetworkHasItsOwnKeys() throws {
        let recipe = try Recipe(yaml: "model: {kind: annotated, dim: 16, dim_mults: [1, 2]}")
        var configuration = AnnotatedUNetConfiguration()
        configuration.dim = 16
        configuration.dimMults = [1, 2]
        #expect(recipe.model.network.configuration == NetworkConfiguration(configuration))
        #expect(message("model: {kind: annotated, sample_size: 8}").contains("no key model.sample_size"))
    }

    @Test(arguments: [
        (
            "training:\n  learning_rat: 1",
            "r.yaml:2:3: there is no key training.learning_rat; did you mean training.learning_rate?"
        ),
        ("trainig:\n  steps: 1", "r.yaml:1:1: there is no key trainig; did you mean training?"),
        ("model: {block_out_chanels: [1]}", "did you mean model.block_out_channels?"),
        ("data: {zzzzzzzzz: 1}", "there is no key data.zzzzzzzzz; the keys here are kind, path, split"),
        ("training:\n  steps: many", "r.yaml:2:10: training.steps is \"many\"; write a whole number"),
        ("training: {steps: \"10\"}", "training.steps is \"10\"; write a whole number"),
        ("training: {steps: 1.0}", "training.steps is 1.0; write a whole number"),
        ("training: {steps: 1e6}", "training.steps is 1e6; write a whole number"),
        (
            "training: {steps: 99999999999999999999}",
            "training.steps is 99999999999999999999; write a whole number"
        ),
        ("training: {steps: }", "training.steps is empty; write a whole number"),
        ("training: {steps: [1]}", "training.steps is [1]; write a whole number"),
        ("training: {learning_rate: high}", "training.learning_rate is \"high\"; write a number"),
        ("training: {learning_rate: .nan}", "training.learning_rate is .nan; write a number from"),
        ("training: {learning_rate: .inf}", "training.learning_rate is .inf; write a number from"),
        ("training: {learning_rate: 1e400}", "training.learning_rate is 1e400; write a number from"),
        ("training: {learning_rate: -1e-4}", "training.learning_rate is -1e-4; write a number from"),
        ("training: {batch_size: 0}", "training.batch_size is 0; write a whole number from 1 to 65536"),
        ("training: {batch_size: -3}", "training.batch_size is -3; write a whole number from 1"),
        (
            "training: {batch_size: 1000000000000}",
            "training.batch_size is 1000000000000; write a whole number from 1"
        ),
        (
            "training: {precision: float16}",
            "training.precision is \"float16\"; write one of float32, bfloat16"
        ),
        ("training: {device: gpu}", "training.device is \"gpu\"; write cpu, cuda"),
        ("data: {flip: 1}", "data.flip is 1; write true or false"),
        (
            "diffusion: {schedule: cosines}",
            "diffusion.schedule is \"cosines\"; write one of linear, scaled_linear"
        ),
        ("evaluation: {solver: eulers}", "evaluation.solver is \"eulers\"; write one of "),
        ("evaluation: {solver: null}", "evaluation.solver is null; write one of "),
        ("training: {schedule: }", "training.schedule is empty; write one of constant, cosine"),
        ("model: {kind: annotated, dim: .inf}", "model.dim is .inf; write a whole number"),
        ("model: {mid_block_type: null, act_fn: x}", "model.act_fn is \"x\", which is not supported"),
        ("data: {kind: idx}", "r.yaml: data.path is null; write the path of the data"),
        ("data: {size: big}", "data.size is \"big\"; write a whole number"),
        ("data: {size: 0}", "data.size is 0; write a whole number from 1 to 8192"),
        ("data: [1]", "data is [1]; write keys such as data.kind"),
        ("model: {kind: unet}", "model.kind is \"unet\"; write one of unet2d, adm, edm-unet, annotated"),
        ("model: {block_out_channels: 32}", "model.block_out_channels is 32; write a list such as [224"),
        (
            "model: {block_out_channels: []}",
            "r.yaml:1:29: model.block_out_channels must hold 1 to 16 numbers, not 0."
        ),
        (
            "model: {block_out_channels: [32, 1000000000]}",
            "model.block_out_channels[1] is 1000000000: use a whole number from 1 to 65536."
        ),
        (
            "model: {block_out_channels: [a]}",
            "r.yaml:1:29: model.block_out_channels must be a list of whole numbers."
        ),
        (
            "model: {block_out_channels: [32, 64]}",
            "model.down_block_types has 4 entries and 'block_out_channels' has 2"
        ),
        ("model: {norm_num_groups: 33}", "r.yaml:1:26: model.norm_num_groups is 33, which does not divide"),
        (
            "diffusion: {beta_start: 0.5, beta_end: 0.1}",
            "diffusion.beta_end is 0.1; write a number that is not below"
        ),
        (
            "diffusion: {zero_terminal_snr: true}",
            "diffusion.prediction is \"noise\"; write data, v or flow"
        ),
        (
            "diffusion: {prediction: hope}",
            "diffusion.prediction is \"hope\"; write one of noise, data, v, flow, score, edm, logit, epsilon, flow_prediction, sample, v_prediction"
        ),
        ("training:\n  steps: 1\n  steps: 2", "stands twice"),
        ("training:\n  steps: [1", "r.yaml:"),
        ("training:\n\tsteps: 1", "r.yaml:2:1: this is not valid YAML"),
        ("steps", "r.yaml:1:1: the recipe is \"steps\"; write sections such as training:"),
        ("a: &a [1]\nb: *c", "this is not valid YAML: found undefined alias"),
        ("seed: -1", "seed is -1; write a whole number from 0"),
    ])
    func badRecipesAreRefused(yaml: String, expected: String) {
        let message = message(yaml)
        #expect(message.contains(expected), "\(message)")
        #expect(!message.contains("\n"))
    }

    @Test func deepAndRepeatedStructuresEndQuickly() {
        let deep = "data: " + String(repeating: "[", count: 100_000)
        #expect(message(deep).contains("not valid YAML"))
        let levels = (1..<40).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]" }
        let bomb = "a0: &a0 [1]\n" + levels.joined(separator: "\n")
        #expect(message(bomb).contains("the alias *a0 stands for"))
        #expect(message("model: {block_out_channels: &a [1, 2]}\ndata: *a").contains("the alias *a stands"))
        #expect(message("data: [1, [2, 3]]").contains("data is [1, a list of 2]"))
    }

    @Test func changesOfTheCommandLineWin() throws {
        let yaml = "training: {steps: 5, weight_decay: 1}"
        let recipe = try Recipe(
            yaml: yaml,
            changes: [
                "training.steps=6", "training.steps=7", "training.weight_decay=0.5", "seed=3",
                "data.path=/a b", "model.kind=annotated", "model.dim_mults=[1, 2, 4, 8]",
            ])
        #expect(recipe.training.steps == 7 && recipe.training.weightDecay == 0.5 && recipe.seed == 3)
        #expect(recipe.data.path == "/a b")
        #expect(recipe.model.kind.word == "annotated")
        #expect(
            message(yaml, "training.learning_rat=1")
                == "change training.learning_rat=1: there is no key training.learning_rat; did you mean training.learning_rate?"
        )
        #expect(
            message(yaml, "training.steps=x").hasPrefix(
                "change training.steps=x: training.steps is \"x\"; write"))
        #expect(
            message(yaml, "training.steps=0").hasPrefix("change training.steps=0: training.steps is 0; write")
        )
        #expect(message(yaml, "training.steps=").hasPrefix("change training.steps=: training.steps is empty"))
        #expect(message(yaml, "steps").contains("write change section.key=value"))
        #expect(message(yaml, "=3").contains("write change section.key=value"))
        #expect(message(yaml, "training=3").contains("training is 3; write keys such as training.steps"))
        #expect(
            message(yaml, "training.steps.x=3").contains("training.steps is a section; write a whole number"))
        #expect(message(yaml, "training.=3").contains("there is no key training."))
        #expect(message(yaml, "data.path=[").contains("not valid YAML"))
    }

    @Test func filesThatCannotBeRead() throws {
        let folder = try TemporaryFolder()
        func message(_ path: String) -> String {
            do { return "\(try Recipe(contentsOf: path))" } catch { return "\(error)" }
        }
        #expect(
            message("\(folder.path)/none.yaml").contains("none.yaml cannot be read: there is no such file"))
        #expect(message(folder.path).contains("it is not a file; give a file"))
        #expect(message("/dev/zero").contains("it is not a file; give a file"))
        try #require(mkfifo("\(folder.path)/pipe", 0o600) == 0)
        #expect(message("\(folder.path)/pipe").contains("it is not a file; give a file"))
        try Data([0x64, 0x3A, 0xFF]).write(to: URL(fileURLWithPath: "\(folder.path)/bytes.yaml"))
        #expect(message("\(folder.path)/bytes.yaml").contains("not text in UTF-8"))
        try folder.write("large.yaml", String(repeating: "# much\n", count: 200_000))
        #expect(message("\(folder.path)/large.yaml").contains("has 1400000 bytes, where 65536 is the most"))
        try folder.write("control.yaml", "a: \u{1}")
        #expect(message("\(folder.path)/control.yaml").contains("not valid YAML"))
    }

    /// A recipe drawn from a seed, with numbers of every size and texts that YAML would read as something else.
    private func recipe(seed: UInt64) -> Recipe {
        var random = SplitMix(seed: seed)
        var recipe = Recipe()
        recipe.seed = Int.random(in: 0...Int.max, using: &random)
        recipe.data.path = [
            "10", "true", "null", "~", "a: b", "ü/é", "it's", " x ", "# no", "1e3", "", "-", "a\nb",
        ]
        .randomElement(using: &random)
        recipe.data.size = Bool.random(using: &random) ? nil : Int.random(in: 1...8192, using: &random)
        recipe.training.learningRate = pow(10, Double.random(in: -11...1, using: &random))
        recipe.training.epsilon = pow(10, Double.random(in: -20...0, using: &random))
        recipe.training.steps = Int.random(in: 1...1_000_000_000, using: &random)
        recipe.training.beta1 = Double.random(in: 0..<0.99, using: &random)
        recipe.modelKind = ModelKind.choices.randomElement(using: &random) ?? ModelKind(UNet2D.self)
        if recipe.model.kind.readsProcess {
            recipe.diffusion.prediction = ["noise", "data", "v", "flow", "score", "edm"].randomElement(
                using: &random)
            recipe.diffusion.values["beta_end"] = .number(Double.random(in: 0.1...0.9, using: &random))
        }
        if ["unet2d", "dit", "mlp"].contains(recipe.model.kind.word) { recipe.model.conditioning = .classes }
        if recipe.model.kind.word == "clip" { recipe.data.captions = .classNames }
        if ["prior", "autoregressive-prior", "unclip-decoder"].contains(recipe.model.kind.word) {
            (recipe.data.captions, recipe.model.clip) = (.classNames, "runs/small-clip")
        }
        if recipe.model.kind.word == "unet2d" {
            var unet = UNet2DConfiguration()
            unet.attentionHeadDim = Bool.random(using: &random) ? nil : 3
            unet.normEps = Double.random(in: 0.001...1, using: &random)
            recipe.model.network = RecipeNetwork(NetworkConfiguration(unet))
        }
        return recipe
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func whatIsWrittenReadsBackEqual(seed: UInt64) throws {
        let recipe = recipe(seed: seed)
        let yaml = try recipe.yaml
        #expect(try Recipe(yaml: yaml) == recipe)
        #expect(try recipe.yaml == yaml)
    }

    @Test func writtenRecipeHasEveryKeyInOrder() throws {
        let yaml = try Recipe().yaml
        let lines = yaml.split(separator: "\n").map(String.init)
        let sections = lines.filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }
        #expect(sections == ["seed", "data", "model", "diffusion", "objective", "training", "evaluation"])
        #expect(lines.contains("  path: null") && lines.contains("  sample_size: null"))
        #expect(lines.contains("  learning_rate: 0.0002") && lines.contains("  norm_eps: 1.0e-05"))
        #expect(lines.contains("  block_out_channels: [224, 448, 672, 896]"))
        #expect(lines.count == 128, "a key is missing or new: \(lines.count)")
    }

    @Test func differencesSayBothSides() throws {
        var here = Recipe()
        var there = Recipe()
        here.training.batchSize = 64
        there.training.batchSize = 32
        here.training.steps = 9
        there.data.path = "old"
        here.evaluation.count = 1
        let differences = try here.differences(from: there)
        #expect(
            differences.map(\.description) == [
                "data.path: \"old\" there, null here", "training.steps: 10000 there, 9 here",
                "training.batch_size: 32 there, 64 here", "evaluation.count: 64 there, 1 here",
            ])
        #expect(differences.map(\.mayChangeOnResume) == [false, true, false, true])
        #expect(throws: RecipeError.self) { try here.checkResumable(from: there) }
        there.training.batchSize = 64
        there.data.path = nil
        try here.checkResumable(from: there)
        #expect(try here.differences(from: here).isEmpty)
        there.model = Recipe.ModelSection(ModelKind(AnnotatedUNet.self))
        let paths = try here.differences(from: there).map(\.path)
        #expect(paths.contains("model.kind") && paths.contains("model.dim") && paths.contains("model.act_fn"))
    }

    @Test func keysThatMayChangeExist() throws {
        let tree = try Recipe().tree
        for path in Recipe.changeableOnResume.keys { #expect(tree.node(at: path) != nil, "\(path)") }
        for rule in Recipe.rules { #expect(tree.node(at: rule.path) != nil, "\(rule.path)") }
        try Recipe().validate()
    }

    @Test func editDistanceIsLevenshteins() {
        #expect(editDistance("kitten", "sitting") == 3)
        #expect(editDistance("", "abc") == 3)
        #expect(editDistance("flaw", "lawn") == 2)
        #expect(nearest(to: "learning_rat", in: ["steps", "learning_rate"]) == "learning_rate")
        #expect(nearest(to: "zzzzzz", in: ["steps", "learning_rate"]) == nil)
    }

    @Test func validationNamesTheKey() {
        var recipe = Recipe()
        recipe.training.emaDecay = 1
        #expect(message(of: recipe) == "training.ema_decay is 1.0; write a number from 0.0 to 0.999999999.")
        recipe = Recipe()
        var configuration = UNet2DConfiguration()
        configuration.layersPerBlock = 0
        recipe.model.network = RecipeNetwork(NetworkConfiguration(configuration))
        #expect(message(of: recipe) == "model.layers_per_block is 0: use a whole number from 1 to 256.")
    }

    private func message(of recipe: Recipe) -> String {
        do {
            try recipe.validate()
            return "accepted"
        } catch {
            return "\(error)"
        }
    }
}

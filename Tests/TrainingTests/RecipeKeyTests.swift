import Foundation
import Networks
import TestSupport
import Testing
import Training

/// The one table of keys: what reads, writes, checks and documents a recipe.
@Suite struct RecipeKeyTests {
    private func message(_ yaml: String, _ changes: String...) -> String {
        do {
            _ = try Recipe(yaml: yaml, name: "r.yaml", changes: changes)
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test func thePageIsWhatTheTableSays() throws {
        let page = try String(
            contentsOf: URL(fileURLWithPath: fixturePath("../../docs/Recipes.md")), encoding: .utf8)
        #expect(
            page == Recipe.documentation + "\n", "write it again with langevin train --keys > docs/Recipes.md"
        )
    }

    @Test func everyKeyIsReadAsItIsWritten() throws {
        let recipe = Recipe().filled
        let again = try Recipe(yaml: recipe.yaml)
        #expect(again == recipe && again.filled == recipe)
        #expect(Set(Recipe.keys.map(\.path)).count == Recipe.keys.count)
    }

    @Test func olderNamesAreRead() throws {
        let recipe = try Recipe(
            yaml: """
                data: {kind: imagefolder, path: /p, size: 8}
                model: {kind: UNet2DModel, class_conditional: true}
                diffusion: {schedule: cosine, prediction: v_prediction, label_dropout: 0.3}
                """)
        #expect(recipe.data.kind == .folder && recipe.model.conditioning == .classes)
        #expect(recipe.diffusion.conditionDropout == 0.3 && recipe.diffusion.prediction == "v")
        #expect(
            try !recipe.yaml.contains("class_conditional") && recipe.yaml.contains("  condition_dropout: 0.3")
        )
        #expect(message("diffusion: {label_dropout: 0.1, condition_dropout: 0.1}").contains("stands twice"))
        #expect(try Recipe(yaml: "model: {class_conditional: false}") == Recipe())
    }

    @Test(
        arguments: [
            ("diffusion: {process: flow}", "flow", "uniform", nil),
            ("diffusion: {process: edm}", "edm", "log-normal", 80.0),
            ("diffusion: {process: ve}", "score", "mode", 50),
            ("diffusion: {process: betas}", "noise", "uniform", nil),
            ("objective: {kind: bound}", "noise", "importance", nil),
            ("objective: {kind: bound, times: uniform}", "noise", "uniform", nil),
            ("objective: {kind: hybrid}", "noise", "uniform", nil),
        ] as [(String, String, String, Double?)])
    func defaultsDependOnTheProcess(yaml: String, prediction: String, times: String, sigma: Double?) throws {
        let recipe = try Recipe(yaml: yaml).filled
        #expect(recipe.diffusion.prediction == prediction && recipe.objective.times == times)
        #expect(recipe.diffusion.values["sigma_max"]?.number == sigma)
        #expect(try Recipe(yaml: yaml).diffusion.prediction == nil)
    }

    /// Both keys are named.
    @Test(arguments: [
        (
            "diffusion: {process: flow, prediction: noise}",
            ["diffusion.prediction", "diffusion.process flow"]
        ),
        ("diffusion: {process: flow, beta_start: 0.1}", ["diffusion.beta_start", "diffusion.process flow"]),
        ("diffusion: {sigma_max: 3}", ["diffusion.sigma_max", "diffusion.process betas"]),
        ("diffusion: {zero_terminal_snr: true}", ["diffusion.prediction", "zero_terminal_snr"]),
        ("objective: {gamma: 5}", ["objective.gamma", "objective.weighting simple"]),
        ("objective: {times: uniform, mean: 1}", ["objective.mean", "objective.times uniform"]),
        ("objective: {form: sliced}", ["objective.form", "objective.kind denoising"]),
        ("objective: {kind: hybrid}\ndiffusion: {process: vp-sde}", ["objective.kind", "diffusion.process"]),
        ("objective: {interpolant: trigonometric}", ["objective.interpolant", "objective.kind denoising"]),
        (
            "diffusion: {process: vp-sde}\nobjective: {kind: flow-matching, interpolant: trigonometric}",
            ["objective.interpolant", "diffusion.process vp-sde"]
        ),
        (
            "diffusion: {process: vp-sde}\nobjective: {kind: flow-matching, latent: bridge}",
            ["objective.latent", "diffusion.process vp-sde"]
        ),
        (
            "diffusion: {process: flow}\nobjective: {kind: flow-matching, sigma_min: 0.1}",
            ["objective.sigma_min", "objective.interpolant straight"]
        ),
        (
            "diffusion: {process: flow}\nobjective: {kind: flow-matching, latent: sine-squared, latent_scale: 60}",
            ["objective.latent", "objective.interpolant"]
        ),
        (
            "diffusion: {process: flow, prediction: noise}\nobjective: {kind: flow-matching, interpolant: trigonometric}",
            ["diffusion.prediction", "diffusion.process flow"]
        ),
        (
            "diffusion: {process: flow}\nobjective: {kind: flow-matching, interpolant: variance-preserving, beta_min: 9, beta_max: 3}",
            ["objective.beta_max", "objective.beta_min"]
        ),
        ("objective: {coupling: optimal-transport}", ["objective.coupling", "objective.kind denoising"]),
        ("model: {conditioning: text}", ["model.conditioning", "data.captions"]),
        ("model: {conditioning: text}\ndata: {captions: class-names}", ["model.conditioning", "model.kind"]),
        ("model: {kind: mmdit, conditioning: class}", ["model.conditioning", "model.kind"]),
        ("model: {text_width: 9}", ["model.text_width", "model.text_encoder"]),
        ("data: {kind: points, path: p, size: 8}", ["data.size", "data.kind"]),
        ("data: {captions: file}", ["data.captions", "data.kind"]),
        ("data: {kind: pairs, path: p, flip: true}", ["data.flip", "data.kind"]),
    ])
    func combinationsWithoutMeaningNameBothKeys(yaml: String, parts: [String]) {
        let message = message(yaml)
        for part in parts { #expect(message.contains(part), "\(message)") }
        #expect(!message.contains("\n"))
    }

    @Test func aRecipeMadeInSwiftIsCheckedAlike() {
        var recipe = Recipe()
        recipe.diffusion.process = .named("flow") ?? recipe.diffusion.process
        recipe.diffusion.prediction = "noise"
        #expect { try recipe.validate() } throws: { "\($0)".contains("diffusion.process flow") }
        recipe.diffusion.prediction = "v"
        #expect(throws: Never.self) { try recipe.validate() }
    }
}

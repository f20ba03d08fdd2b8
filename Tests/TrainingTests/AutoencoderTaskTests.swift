import Checkpoints
import Datasets
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing
import Training

/// Autoencoders with a discriminator, features and a codebook: what a step moves, and what a run keeps.
@Suite struct AutoencoderTaskTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let network = """
        block_out_channels: [8, 8], layers_per_block: 1, norm_num_groups: 4, mid_block_add_attention: false,
          down_block_types: [DownEncoderBlock2D, DownEncoderBlock2D], up_block_types: [UpDecoderBlock2D, UpDecoderBlock2D]
        """

    private func recipe(_ model: String, _ objective: String, steps: Int = 6, _ more: String = "") throws
        -> Recipe
    {
        try Recipe(
            yaml: """
                data: {kind: digits}
                model: {\(model), \(Self.network)}
                objective: {\(objective)}
                training: {steps: \(steps), batch_size: 8, learning_rate: 1.0e-3, warmup_steps: 0, log_every: 1,
                  threads: 1, checkpoint_every: 2, sample_every: 0, gradient_accumulation: 2\(more)}
                """)
    }

    private func parts(_ recipe: Recipe) throws -> TrainingParts {
        try recipe.parts { Issue.record("warned: \($0)") }
    }

    private func trained(_ recipe: Recipe, _ name: String, stop: Int? = nil) throws -> Trainer {
        let trainer = try Trainer(parts(recipe), into: RunFolder(folder(name), resume: true))
        _ = try trainer.train(isInterrupted: { trainer.step == stop })
        return trainer
    }

    @Test(arguments: [
        (
            "kind: autoencoder-kl, latent_channels: 2",
            "kl_weight: 0.01, perceptual_weight: 0.5, adversarial_weight: 0.3, adversarial_start: 3, discriminator_width: 4, discriminator_layers: 1, noise: 0.1"
        ),
        (
            "kind: vq-model, num_vq_embeddings: 16, latent_channels: 2",
            "revive_below: 0.9, codebook_decay: 0.3"
        ),
        (
            "kind: vq-model, num_vq_embeddings: 16, latent_channels: 2",
            "codebook: gradient, revive_below: 0.9, codebook_decay: 0.3, adversarial_weight: 1, discriminator_layers: 1, discriminator_width: 4"
        ),
        ("kind: fsq-model, levels: [3, 4]", "reconstruction: l2"),
    ])
    func `a run that is continued twice ends with the same bits`(_ model: String, _ objective: String) throws
    {
        let recipe = try recipe(model, objective, steps: 8)
        _ = try trained(recipe, "whole")
        for stop in [3, 5] { _ = try trained(recipe, "parts", stop: stop) }
        #expect(try trained(recipe, "parts").step == 8)
        for name in [
            "model.safetensors", "optimizer.safetensors", "generators.safetensors", "ema.safetensors",
        ] {
            let files = try ["whole", "parts"].map {
                try Data(contentsOf: URL(fileURLWithPath: folder($0) + "/checkpoints/step-8/\(name)"))
            }
            #expect(files[0] == files[1], "\(name)")
        }
        let losses = try ["whole", "parts"].map {
            try MetricsLog.read(folder($0) + "/metrics.jsonl").map(\.values)
        }
        #expect(losses[0] == losses[1])
        #expect(losses[0].last?.values.allSatisfy(\.isFinite) == true)
    }

    @Test func `the discriminator begins in its step and is no part of the model`() throws {
        let recipe = try recipe(
            "kind: autoencoder-kl, latent_channels: 2",
            "perceptual_weight: 0.5, adversarial_weight: 0.3, adversarial_start: 3, discriminator_width: 4, discriminator_layers: 1",
            steps: 4)
        let trainer = try trained(recipe, "run")
        let metrics = try MetricsLog.read(folder("run") + "/metrics.jsonl").map(\.values)
        #expect(metrics.map { $0["discriminator_loss"] != nil } == [false, false, true, true])
        #expect(metrics.map { $0["adversarial_factor"] != nil } == [false, false, true, true])
        #expect(metrics.allSatisfy { $0["perceptual"]! > 0 && $0["kl"]! > 0 && $0["reconstruction"]! > 0 })
        let store = trainer.parts.task.store
        #expect(store.names.contains { $0.hasPrefix("discriminator.") })
        #expect(store.names.contains { $0.hasPrefix("perceptual.") })
        let model = ModelFolder(folder("run") + "/model")
        let (network, own) = try AutoencoderKL.load(model)
        #expect(own.report.unused.isEmpty && own.names.allSatisfy { AutoencoderTask.isOwn($0) })
        // What a diffusion model is trained on has mean 0 and variance 1.
        let data = trainer.parts.data
        let pictures = try data.batch(at: (0..<1024).map { $0 * data.count / 1024 }).data
        let generator = RandomGenerator(seed: 1)
        let latents = network.latentScaling.scaled(
            network.latents(of: pictures) { generator.normal($0) }
        ).to(.float64)
        #expect(try abs(latents.mean().item()) < 0.02)
        #expect(try abs(latents.standardDeviation(correction: 0).item() - 1) < 0.02)
    }

    @Test(arguments: try Fixture.all(in: "autoencoder_losses", prefix: "discriminator-"))
    func `the adaptive weight is that of PyTorch`(_ fixture: Fixture) throws {
        var configuration = PatchDiscriminator.Configuration(channels: try fixture.case.required("channels"))
        configuration.width = try fixture.case.required("width")
        configuration.layers = try fixture.case.required("layers")
        let store = ParameterStore(.loaded(try fixture.source("weight.")), purpose: .training)
        let discriminator = try store.build { PatchDiscriminator(configuration, $0) }
        let adversary = AdversarialLoss(
            discriminator: discriminator, weight: try fixture.case.required("weight"), isAdaptive: true,
            firstStep: 1)
        let pictures = try fixture.tensor("input.pictures")
        let last = try fixture.tensor("input.last").requiringGradient()
        let made = try fixture.tensor("input.hidden").convolved(last, padding: 1)
        let fidelity = ReconstructionError.l1(made, of: pictures)
        let adversarial = adversary.ofAutoencoder(made)
        let factor = try adversary.factor(fidelity: fidelity, adversarial: adversarial, at: last)
        #expect(!factor.requiresGradient)
        expectClose(factor, try fixture.tensor("output.factor"), relative: 1e-5)
        // The graph is still there for the loss itself.
        try (fidelity + adversarial * factor).mean().backward()
        expectClose(
            try #require(last.gradient), try fixture.tensor("gradient_of_last"), ofLargest: 1e-5)
        expectClose(
            adversary.ofDiscriminator(made.detached(), pictures).total.mean(),
            try fixture.tensor("output.hinge"), relative: 1e-5)
        let fixed = AdversarialLoss(
            discriminator: discriminator, weight: 0.25, isAdaptive: false, firstStep: 1)
        #expect(
            try fixed.factor(fidelity: fidelity, adversarial: adversarial, at: last).item(Float.self) == 0.25)
    }

    @Test func `a sheet has originals above reconstructions`() throws {
        let recipe = try recipe("kind: fsq-model, levels: [3, 4]", "kind: finite-scalar", steps: 1)
        let parts = try parts(recipe)
        let sheet = try #require(try parts.output.sheet(parts.task.store.source))
        // 64 pictures: six rows of ten pairs, magnified eight times.
        #expect(sheet.width == 10 * (8 * 8 + 2) + 2 && sheet.height == 12 * (8 * 8 + 2) + 2)
    }
}

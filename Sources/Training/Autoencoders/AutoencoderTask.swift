import Datasets
import Diffusion
import Foundation
import Layers
import Networks
import Tensors

/// An autoencoder that learns to give pictures again, and a discriminator beside it where there is one: a step moves the
/// autoencoder, then the discriminator by the same pictures and what the moved autoencoder makes of them.
///
/// Of a batch are drawn: the noise on the pictures where it denoises, then that of the latents where they are drawn from
/// a distribution; after both phases, a latent for each vector of a codebook that is watched.
package final class AutoencoderTask: TrainingTask {
    /// The scopes of what the store holds beside the autoencoder.
    enum Scope: String, CaseIterable {
        case discriminator
        /// What the upkeep of a codebook remembers.
        case codebook = "codebook_upkeep"
        /// The constants of a perceptual distance.
        case perceptual

        /// Whether a parameter is in this scope.
        func contains(_ parameter: String) -> Bool { parameter.hasPrefix(rawValue + ".") }
    }

    /// Whether a parameter is the autoencoder's own.
    package static func isOwn(_ parameter: String) -> Bool {
        !Scope.allCases.contains { $0.contains(parameter) }
    }

    package let store: ParameterStore
    private let network: any TrainableAutoencoder
    private let loss: AutoencoderLoss
    /// The deviation of the noise on the pictures that are encoded.
    private let noise: Double
    private let drawsLatents: Bool
    private let features: PerceptualFeatures?
    private let adversary: AdversarialLoss?
    private let lastLayer: Tensor?
    private let upkeep: CodebookUpkeep?
    private let memoryFormat: MemoryFormat
    private let device: Device

    /// What an autoencoder learns by.
    package struct Settings: Sendable {
        package var loss = AutoencoderLoss()
        /// The deviation of the noise on the pictures that are encoded; 0 puts none.
        package var noise = 0.0
        /// Whether latents are drawn from their distributions, and not the most likely ones.
        package var drawsLatents = false
        /// The order in memory of pictures.
        package var memoryFormat = MemoryFormat.contiguous

        /// The error of reconstruction alone.
        package init() {}
    }

    /// - Parameters:
    ///   - lastLayer: the name of the weights of the decoder's last layer, at which an adversary's gradient is measured.
    package init(
        store: ParameterStore, network: any TrainableAutoencoder, _ settings: Settings,
        features: PerceptualFeatures? = nil, adversary: AdversarialLoss? = nil,
        lastLayer: String = "decoder.conv_out.weight", upkeep: CodebookUpkeep? = nil
    ) {
        (self.store, self.network, loss) = (store, network, settings.loss)
        (noise, drawsLatents, memoryFormat) = (
            settings.noise, settings.drawsLatents, settings.memoryFormat
        )
        (self.features, self.adversary, self.upkeep) = (features, adversary, upkeep)
        self.lastLayer = store[lastLayer]
        precondition(adversary == nil || self.lastLayer != nil, "there are no weights \(lastLayer)")
        device = store.parameters.first?.device ?? .cpu
    }

    package var phases: [TrainingPhase] {
        let own = TrainingPhase(moving: Self.isOwn)
        guard let adversary else { return [own] }
        let scope = Scope.discriminator
        return [own, TrainingPhase(scope.rawValue, firstStep: adversary.firstStep, moving: scope.contains)]
    }

    package func losses(_ batch: Batch, phase: Int, step: Int, _ generator: RandomGenerator) throws -> Losses
    {
        let pictures = batch.data.placed(on: device, memoryFormat)
        if phase == 0 { return try autoencoderLosses(pictures, step: step, generator) }
        guard let adversary else { preconditionFailure("a phase of a discriminator that is not there") }
        let again = withoutGradients { reconstruction(of: pictures, generator).pictures }
        return adversary.ofDiscriminator(again, pictures)
    }

    /// The fidelity and the penalties, without the discriminator's part.
    package func heldOutLoss(_ batch: Batch, _ generator: RandomGenerator) throws -> Double {
        try withoutGradients {
            let pictures = batch.data.placed(on: device, memoryFormat)
            let again = reconstruction(of: pictures, generator)
            let fidelity = try loss.fidelity(again, of: pictures, features?.distance()).total
            return try loss.penalties(again).reduce(fidelity) { $0 + $1.weighted }.mean().item()
        }
    }

    package func finish(step: Int, _ generator: RandomGenerator) throws { try upkeep?.finish(generator) }

    // MARK: The autoencoder's own phase

    private func autoencoderLosses(
        _ pictures: Tensor, step: Int, _ generator: RandomGenerator
    ) throws -> Losses {
        let again = reconstruction(of: pictures, generator)
        var losses = try loss.fidelity(again, of: pictures, features?.distance())
        let fidelity = losses.total
        for penalty in loss.penalties(again) {
            losses.total = losses.total + penalty.weighted
            losses.parts.append((penalty.name, penalty.values))
        }
        if let adversary, let lastLayer, step >= adversary.firstStep {
            let adversarial = adversary.ofAutoencoder(again.pictures)
            let factor = try adversary.factor(fidelity: fidelity, adversarial: adversarial, at: lastLayer)
            losses.total = losses.total + adversarial * factor
            losses.parts += [("adversarial", adversarial), ("adversarial_factor", each(factor, adversarial))]
        }
        if let use = again.use {
            losses.parts += [
                ("perplexity", each(use.perplexity, fidelity)),
                ("codebook_use", each(use.usedShare, fidelity)),
            ]
        }
        if let quantization = again.quantization { upkeep?.note(quantization) }
        return losses
    }

    /// A number of a batch for each of its examples.
    private func each(_ value: Tensor, _ losses: Tensor) -> Tensor {
        value.detached().to(losses.elementType).expanded(to: losses.shape)
    }

    private func reconstruction(of pictures: Tensor, _ generator: RandomGenerator) -> Reconstruction {
        func drawn(_ shape: Shape) -> Tensor { generator.normal(shape).sent(to: device) }
        let seen = noise > 0 ? pictures + drawn(pictures.shape) * noise : pictures
        return network.reconstruction(of: seen) { shape in
            drawsLatents ? drawn(shape) : .zeros(shape, on: device)
        }
    }

    // MARK: What is saved beside the parameters

    private struct Memory: Codable {
        var hasPerceptualFeatures: Bool?

        enum CodingKeys: String, CodingKey {
            case hasPerceptualFeatures = "has_perceptual_features"
        }
    }

    package func savedMemory() throws -> Data {
        try JSONEncoder().encode(Memory(hasPerceptualFeatures: features?.learned?.isTrained))
    }

    package func restoreMemory(_ saved: Data) throws {
        let memory = try JSONDecoder().decode(Memory.self, from: saved)
        features?.learned?.isTrained = memory.hasPerceptualFeatures ?? false
    }
}

import Diffusion
import Networks
import Tensors

/// A discriminator of patches beside an autoencoder: the hinge loss of both sides, and how much it counts.
/// Source: Lim and Ye 2017 (arXiv:1705.02894); Esser et al. 2021 (arXiv:2012.09841), section 3.1, equations 6 and 7.
package struct AdversarialLoss: Sendable {
    /// Tells pictures from reconstructions.
    package let discriminator: PatchDiscriminator
    /// The factor of the autoencoder's side.
    package let weight: Double
    /// Whether the autoencoder's side counts as much as its fidelity, by their gradients at its last layer.
    package let isAdaptive: Bool
    /// The first step in which there is a discriminator, from 1.
    package let firstStep: Int

    /// A discriminator's losses.
    package init(discriminator: PatchDiscriminator, weight: Double, isAdaptive: Bool, firstStep: Int) {
        (self.discriminator, self.weight) = (discriminator, weight)
        (self.isAdaptive, self.firstStep) = (isAdaptive, firstStep)
    }

    /// How much the discriminator takes reconstructions for what they are, `[batch]`.
    package func ofAutoencoder(_ reconstructions: Tensor) -> Tensor {
        -discriminator(reconstructions).meanPerExample()
    }

    /// How far the discriminator is from telling both apart by a margin, `[batch]`, with what it gives for both.
    package func ofDiscriminator(_ reconstructions: Tensor, _ pictures: Tensor) -> Losses {
        let (real, made) = (discriminator(pictures), discriminator(reconstructions))
        let loss = ((1 - real).relu().meanPerExample() + (1 + made).relu().meanPerExample()) * 0.5
        return Losses(
            loss, parts: [("pictures", real.meanPerExample()), ("reconstructions", made.meanPerExample())])
    }

    /// What the autoencoder's side is multiplied by, a scalar without a history: `weight` times the length of the
    /// fidelity's gradient at the last layer over that of the adversarial loss.
    /// - Parameters:
    ///   - fidelity, adversarial: the losses of a batch, `[batch]`.
    ///   - lastLayer: the weights of the decoder's last layer.
    /// - Throws: the error that a tensor carries.
    package func factor(fidelity: Tensor, adversarial: Tensor, at lastLayer: Tensor) throws -> Tensor {
        guard isAdaptive else { return .full(weight, [], fidelity.elementType, on: fidelity.device) }
        func length(_ loss: Tensor) throws -> Tensor {
            // What the loss was computed from stays for the backward pass of the whole.
            let gradient = try gradients(of: [loss.mean()], withRespectTo: [lastLayer], differentiable: true)[
                0]
            return (gradient ?? .zeros(lastLayer.shape, on: lastLayer.device)).detached().norm()
        }
        return try (length(fidelity) / (length(adversarial) + 1e-4)).clamped(to: 0...1e4) * weight
    }
}

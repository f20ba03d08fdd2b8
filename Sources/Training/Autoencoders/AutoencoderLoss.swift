import Diffusion
import Networks
import Tensors

/// The loss of an autoencoder apart from what a discriminator adds: the error of reconstruction, a perceptual distance,
/// and what the network's kind adds.
///
/// All are means over the values of a picture, so that published weights, which count sums over them on both sides, hold.
/// With squared errors and the weight w of the divergence it is the negative variational bound of a decoder whose
/// variance is w/2, in units of w and but for a constant.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), appendix G, equation 25; Kingma and Welling 2014 (arXiv:1312.6114),
/// equation 10; van den Oord et al. 2017 (arXiv:1711.00937), equation 3.
package struct AutoencoderLoss: Sendable {
    /// The error of reconstruction.
    package var error: ReconstructionError
    /// The weight of the perceptual distance.
    package var perceptualWeight: Double
    /// The weights of the penalties that count.
    package var penaltyWeights: [String: Double]

    /// A loss; by default the error of reconstruction alone.
    package init(
        error: ReconstructionError = .l1, perceptualWeight: Double = 0, penaltyWeights: [String: Double] = [:]
    ) {
        (self.error, self.perceptualWeight, self.penaltyWeights) = (error, perceptualWeight, penaltyWeights)
    }

    /// How near a reconstruction is to its pictures, `[batch]`, with the parts of that.
    /// - Parameter distance: the perceptual distance; it is not computed where its weight is 0.
    package func fidelity(
        _ reconstruction: Reconstruction, of pictures: Tensor, _ distance: FeatureDistance?
    ) -> Losses {
        let error = error(reconstruction.pictures, of: pictures)
        guard let distance, perceptualWeight > 0 else {
            return Losses(error, parts: [("reconstruction", error)])
        }
        let perceptual = distance(reconstruction.pictures, pictures)
        return Losses(
            error + perceptual * perceptualWeight,
            parts: [("reconstruction", error), ("perceptual", perceptual)])
    }

    /// The penalties that count, weighted, each `[batch]`.
    func penalties(_ reconstruction: Reconstruction) -> [(name: String, values: Tensor, weighted: Tensor)] {
        reconstruction.penalties.compactMap { penalty in
            penaltyWeights[penalty.name].map { (penalty.name, penalty.values, penalty.values * $0) }
        }
    }
}

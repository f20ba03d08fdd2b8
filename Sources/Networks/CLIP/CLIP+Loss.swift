import Foundation
import Tensors

// What CLIP is trained on: pairs of texts and pictures, all others of a batch being the wrong ones.
// Source: Radford et al. 2021 (arXiv:2103.00020), section 2.3 and figure 3.

extension CLIP {
    /// The largest scale of logits that the paper allows; larger ones made training unstable.
    public static let largestScale = 100.0

    /// The loss of each pair of a batch: the mean of the cross-entropies of its text's picture and of its picture's text.
    public struct PairLosses {
        /// −ln of the probability of the right picture among all of the batch, for each text, `[pairs]`, in nats.
        public let ofTexts: Tensor
        /// −ln of the probability of the right text among all of the batch, for each picture, likewise.
        public let ofPictures: Tensor
        /// The mean of both, `[pairs]`.
        public var total: Tensor { (ofTexts + ofPictures) / 2 }
    }

    /// The losses of pairs, from the logits `[pairs, pairs]` of texts (rows) and pictures (columns), those that belong
    /// together on the diagonal.
    ///
    /// Texts that are alike share their pictures: then the least loss is the mean of the logarithm of their number.
    public static func losses(_ logits: Tensor) -> PairLosses {
        precondition(logits.shape[0] == logits.shape[1], "logits of \(logits.shape) are not of pairs")
        return PairLosses(
            ofTexts: -logits.logSoftmax(1).diagonal(), ofPictures: -logits.logSoftmax(0).diagonal())
    }

    /// The mean loss of pairs, a scalar.
    public static func loss(_ logits: Tensor) -> Tensor { losses(logits).total.mean() }

    /// What cosines are multiplied with, a scalar: e to the power of what is learned.
    public var scale: Tensor { logitScale.exp() }

    /// Brings the scale back to the largest that there may be, after a step of training.
    package func clampScale(to largest: Double = CLIP.largestScale) throws {
        try logitScale.assign(logitScale.detached().clamped(upTo: log(largest)))
    }
}

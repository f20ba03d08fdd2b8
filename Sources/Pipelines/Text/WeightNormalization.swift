import Tensors

/// How the weights of words act on a text encoder's states.
public enum WeightNormalization: String, Codable, Sendable, CaseIterable {
    /// States times their weights, all of them then scaled so that their mean stays what it was, as AUTOMATIC1111 has it.
    case a1111
    /// Weights multiply how far states are from those of an empty text, token for token, as ComfyUI has it.
    case comfyui

    /// States with their weights.
    /// - Parameters:
    ///   - states: `[1, tokens, width]`
    ///   - weights: of each token, `[1, tokens, 1]`.
    ///   - empty: the states of an empty text.
    func weighted(_ states: Tensor, by weights: Tensor, empty: () throws -> Tensor) rethrows -> Tensor {
        switch self {
        case .a1111:
            let weighted = states * weights
            return weighted * (states.mean() / weighted.mean())
        // What has the weight 1 stays as it is, to the last bit.
        case .comfyui: return try states + (states - empty()) * (weights - 1)
        }
    }
}

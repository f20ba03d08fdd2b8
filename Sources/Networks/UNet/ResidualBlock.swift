import Layers
import Tensors

/// What the residual blocks of one network have in common.
struct ResidualOptions {
    /// Features of the embedded time.
    var timeWidth: Int
    /// Groups of the norms.
    var groups: Int
    /// Added to variances by the norms.
    var epsilon: Double
    /// The non-linearity.
    var activation: Activation
    /// The probability of dropout between the convolutions.
    var dropout: Double
    /// Whether time scales and shifts the second norm (AdaGN) rather than being added before it.
    var scalesAndShifts: Bool
    /// What the sum of both paths is divided by.
    var outputScale = 1.0
    /// Whether the block applies the non-linearity to the embedded time itself, where the network does not.
    var activatesTime = false
}

/// Two convolutions that read the time, beside a short cut; diffusers' `ResnetBlock2D`.
///
/// Source: Ho et al. 2020 (arXiv:2006.11239), appendix B; scale and shift (AdaGN): Dhariwal and
/// Nichol 2021 (arXiv:2105.05233), section 3.
struct ResidualBlock {
    /// A change of resolution inside the block.
    enum Resampling {
        case halved
        case doubled

        func callAsFunction(_ x: Tensor) -> Tensor {
            switch self {
            case .halved: x.averagePooled(2)
            case .doubled: x.enlargedNearest(2)
            }
        }
    }

    let norm1: GroupNorm
    let convolution1: Convolution2D
    let timeProjection: Linear
    let norm2: GroupNorm
    let convolution2: Convolution2D
    let shortcut: Convolution2D?
    let dropout: Dropout
    let options: ResidualOptions
    let resampling: Resampling?

    init(
        inputs: Int, outputs: Int, _ options: ResidualOptions, resampling: Resampling? = nil,
        _ weights: Weights
    ) {
        let (groups, epsilon) = (options.groups, options.epsilon)
        norm1 = GroupNorm(groups: groups, channels: inputs, epsilon: epsilon, weights["norm1"])
        convolution1 = Convolution2D(
            inputs: inputs, outputs: outputs, kernel: 3, padding: 1, weights["conv1"])
        timeProjection = Linear(
            inputs: options.timeWidth, outputs: options.scalesAndShifts ? 2 * outputs : outputs,
            weights["time_emb_proj"])
        norm2 = GroupNorm(groups: groups, channels: outputs, epsilon: epsilon, weights["norm2"])
        convolution2 = Convolution2D(
            inputs: outputs, outputs: outputs, kernel: 3, padding: 1, weights["conv2"])
        shortcut =
            inputs == outputs
            ? nil : Convolution2D(inputs: inputs, outputs: outputs, kernel: 1, weights["conv_shortcut"])
        dropout = Dropout(options.dropout)
        self.options = options
        self.resampling = resampling
    }

    /// - Parameters:
    ///   - x: `[batch, inputs, height, width]`
    ///   - time: the embedded time, `[batch, timeWidth]`, usually after the non-linearity; it is the same
    ///     for all blocks, so the network applies the non-linearity once.
    /// - Returns: `[batch, outputs, height′, width′]`
    func callAsFunction(_ x: Tensor, time: Tensor, dropout generator: RandomGenerator?) -> Tensor {
        let embedded = timeProjection(options.activatesTime ? options.activation(time) : time)
        let parts = options.scalesAndShifts ? embedded.chunked(2, of: 1) : []
        let added = options.scalesAndShifts ? nil : embedded

        let normed1 = norm1.deferred(x).then(options.activation)
        let hidden =
            resampling.map { convolution1($0(normed1.value), vector: added) }
            ?? convolution1(normed1, vector: added)

        let normed2 = norm2.deferred(
            hidden, modulatedBy: parts.isEmpty ? nil : (scale: parts[0], shift: parts[1])
        )
        .then(options.activation).then(dropout, generator)
        let direct = resampling?(x) ?? x
        let sum = convolution2(normed2, adding: shortcut?(direct) ?? direct)
        return options.outputScale == 1 ? sum : sum / options.outputScale
    }
}

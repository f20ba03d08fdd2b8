import Layers
import Tensors

/// What the residual blocks of one `EDMUNet` have in common.
struct EDMBlockOptions: Sendable {
    /// Features of the embedded noise level.
    let timeWidth: Int
    /// Added to variances by the norms.
    let epsilon: Double
    /// What the sum of two paths is multiplied with.
    let sumScale: Double
    /// Whether the time scales and shifts the second norm rather than being added before it.
    let scalesAndShifts: Bool
    /// Channels of a head; one head takes all where `nil`.
    let headSize: Int?
    /// Whether a block that changes the resolution has a convolution in its short cut even where channels stay.
    let projectsResampled: Bool
    /// What halves and doubles pictures.
    let filter: ResamplingFilter
    /// The probability of dropout.
    let dropout: Double
}

/// A filter by which pictures are halved and doubled, along each side.
/// Source: Zhang 2019 (arXiv:1904.11486); Song et al. 2021 (arXiv:2011.13456), appendix H.
struct ResamplingFilter: Sendable {
    private let kernel: Tensor
    private let padding: Int

    init(_ taps: [Int]) {
        let sum = Double(taps.reduce(0, +))
        let row = Tensor(taps.map { Double($0) / sum })
        kernel = (row.unsqueezed(1) * row.unsqueezed(0)).to(.float32).unsqueezed(0).unsqueezed(0)
        padding = (taps.count - 1) / 2
    }

    /// Half of height and width.
    /// - Parameter isPadded: whether the picture was padded before.
    func halved(_ x: Tensor, isPadded: Bool = false) -> Tensor {
        eachChannel(x) { $0.convolved(own(x), stride: 2, padding: isPadded ? 0 : padding) }
    }

    /// Twice the height and width.
    func doubled(_ x: Tensor) -> Tensor {
        eachChannel(x) { $0.convolvedTransposed(own(x) * 4, stride: 2, padding: padding) }
    }

    /// The border that a convolution before `halved` leaves for it.
    var border: Int { padding }

    private func own(_ x: Tensor) -> Tensor { kernel.to(x.elementType).to(x.device) }

    private func eachChannel(_ x: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
        let shape = x.shape
        let result = body(x.reshaped([shape[0] * shape[1], 1, shape[2], shape[3]]))
        return result.reshaped([shape[0], shape[1], result.shape[2], result.shape[3]])
    }
}

/// The group norms of these networks: 32 groups, or fewer so that each has four channels.
func edmNorm(_ channels: Int, epsilon: Double, _ weights: Weights) -> GroupNorm {
    GroupNorm(groups: min(32, channels / 4), channels: channels, epsilon: epsilon, weights)
}

/// Two convolutions that read the noise level beside a short cut, and attention where there is some. Parameters `norm0`,
/// `conv0`, `affine`, `norm1`, `conv1`, `skip`, `norm2`, `qkv`, `proj`, each with `weight` and `bias`.
/// Source: Karras et al. 2022 (arXiv:2206.00364), appendix F.2 and table 7.
struct EDMBlock: Sendable {
    enum Resampling: Sendable { case halved, doubled }

    let norm0: GroupNorm
    let conv0: Convolution2D
    let affine: Linear
    let norm1: GroupNorm
    let conv1: Convolution2D
    let skip: Convolution2D?
    let attention: EDMAttention?
    let resampling: Resampling?
    let options: EDMBlockOptions
    private let dropout: Dropout

    init(
        _ inputs: Int, _ outputs: Int, _ options: EDMBlockOptions, attends: Bool = false,
        resampling: Resampling? = nil, _ weights: Weights
    ) {
        norm0 = edmNorm(inputs, epsilon: options.epsilon, weights["norm0"])
        conv0 = Convolution2D(inputs: inputs, outputs: outputs, kernel: 3, padding: 1, weights["conv0"])
        affine = Linear(
            inputs: options.timeWidth, outputs: options.scalesAndShifts ? 2 * outputs : outputs,
            weights["affine"])
        norm1 = edmNorm(outputs, epsilon: options.epsilon, weights["norm1"])
        conv1 = Convolution2D(inputs: outputs, outputs: outputs, kernel: 3, padding: 1, weights["conv1"])
        let isProjected = inputs != outputs || (resampling != nil && options.projectsResampled)
        skip =
            isProjected ? Convolution2D(inputs: inputs, outputs: outputs, kernel: 1, weights["skip"]) : nil
        attention =
            attends
            ? EDMAttention(outputs, headSize: options.headSize, epsilon: options.epsilon, weights) : nil
        (self.resampling, self.options, dropout) = (resampling, options, Dropout(options.dropout))
    }

    /// - Parameter time: the embedded noise level after the non-linearity, `[1 or batch, timeWidth]`.
    func callAsFunction(_ x: Tensor, time: Tensor, dropout generator: RandomGenerator?) -> Tensor {
        let read = affine(time).broadcast(toRank: 4)
        var hidden = conv0(resampled(norm0.deferred(x).then(.silu).value))
        if options.scalesAndShifts {
            let parts = read.chunked(2, of: 1)
            hidden = (norm1(hidden) * (parts[0] + 1) + parts[1]).silu()
        } else {
            hidden = norm1.deferred(hidden + read).then(.silu).value
        }
        let direct = resampled(x)
        let sum = (conv1(dropout(hidden, generator)) + (skip?(direct) ?? direct)) * options.sumScale
        guard let attention else { return sum }
        return (attention(sum) + sum) * options.sumScale
    }

    private func resampled(_ x: Tensor) -> Tensor {
        switch resampling {
        case nil: x
        case .halved: options.filter.halved(x)
        case .doubled: options.filter.doubled(x)
        }
    }
}

/// Attention of all pixels to each other. Queries, keys and values of a channel follow each other.
struct EDMAttention: Sendable {
    let norm: GroupNorm
    let joined: Convolution2D
    let output: Convolution2D
    let heads: Int

    init(_ channels: Int, headSize: Int?, epsilon: Double, _ weights: Weights) {
        norm = edmNorm(channels, epsilon: epsilon, weights["norm2"])
        joined = Convolution2D(inputs: channels, outputs: 3 * channels, kernel: 1, weights["qkv"])
        output = Convolution2D(inputs: channels, outputs: channels, kernel: 1, weights["proj"])
        heads = headSize.map { channels / $0 } ?? 1
    }

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let shape = x.shape
        let (width, pixels) = (shape[1] / heads, shape[2] * shape[3])
        let parts = joined(norm(x)).reshaped([shape[0], heads, width, 3, pixels])
        func part(_ index: Int) -> Tensor { parts.select(index, of: 3).transposed(2, 3) }
        let mixed = Layers.attention(query: part(0), key: part(1), value: part(2))
        return output(mixed.transposed(2, 3).reshaped(shape))
    }
}

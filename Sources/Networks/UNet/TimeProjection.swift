import Layers
import Tensors

/// What a number becomes before the two-layer network that embeds it. Parameters of the scope
/// `time_proj`: none, or `weight`.
enum TimeProjection {
    /// Fixed sines and cosines.
    case positional(width: Int, shift: Int, cosinesFirst: Bool)
    /// Sines and cosines of 2π·w·t, or 2π·w·ln t, at random frequencies w that are never trained.
    /// Source: Song et al. 2021 (arXiv:2011.13456), appendix C; Tancik et al. 2020 (arXiv:2006.10739).
    case fourier(frequencies: Tensor, ofLogarithm: Bool, cosinesFirst: Bool)
    /// A row of a table for each whole time.
    case learned(Embedding)

    init(_ configuration: UNet2DConfiguration, _ weights: Weights) {
        let width = configuration.blockOutChannels[0]
        switch configuration.timeEmbeddingType {
        case .positional:
            self = .positional(
                width: configuration.timeFeatures, shift: configuration.freqShift,
                cosinesFirst: configuration.flipSinToCos)
        case .fourier:
            self = .fourier(
                frequencies: weights.constant("weight", [width], .normal(deviation: 16)), ofLogarithm: true,
                cosinesFirst: false)
        case .learned:
            self = .learned(Embedding(count: configuration.numTrainTimesteps ?? 0, width: width, weights))
        }
    }

    /// `[batch]` → `[batch, features]`
    func callAsFunction(_ times: Tensor) -> Tensor {
        switch self {
        case .positional(let width, let shift, let cosinesFirst):
            return sinusoidalEmbedding(times, width: width, shift: Double(shift), cosinesFirst: cosinesFirst)
        case .fourier(let frequencies, let ofLogarithm, let cosinesFirst):
            let times = ofLogarithm ? times.log() : times
            let angles = times.unsqueezed(1) * frequencies.unsqueezed(0) * (2 * Double.pi)
            let parts = cosinesFirst ? [angles.cos(), angles.sin()] : [angles.sin(), angles.cos()]
            return concatenated(parts, along: -1)
        case .learned(let table): return table(times.to(.int64))
        }
    }
}

/// What a class adds to the embedded time. Parameters of the scope `class_embedding`.
enum ClassEmbedding {
    /// A row of a table for each class.
    case table(Embedding)
    /// Labels are numbers, embedded as times are.
    case times(TimestepEmbedding)
    /// Labels are vectors, brought to the width of the embedded time by two layers.
    case vectors(TimestepEmbedding)
    /// Labels are vectors, brought to the width of the embedded time by one layer.
    case projected(Linear)
    /// Labels are vectors already.
    case identity

    init?(_ configuration: UNet2DConfiguration, _ weights: Weights) {
        let width = configuration.timeWidth
        switch configuration.classEmbedType {
        case .timestep:
            self = .times(
                TimestepEmbedding(inputs: configuration.timeFeatures, outputs: width, weights))
        case .identity: self = .identity
        case nil:
            guard let count = configuration.numClassEmbeds else { return nil }
            self = .table(Embedding(count: count, width: width, weights))
        }
    }

    /// `[batch]` (`[batch, features]` where labels are vectors) → `[batch, width]`
    func callAsFunction(_ labels: Tensor, _ projection: TimeProjection, as type: ElementType) -> Tensor {
        switch self {
        case .table(let table): table(labels)
        case .times(let embedding): embedding(projection(labels).to(type))
        case .vectors(let embedding): embedding(labels.to(type))
        case .projected(let projection): projection(labels.to(type))
        case .identity: labels.to(type)
        }
    }
}

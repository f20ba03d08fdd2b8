import Foundation

/// How likely data are under a model.
public struct LikelihoodReport: Codable, Sendable {
    /// A mean over examples with its interval.
    public struct Interval: Codable, Sendable, Equatable {
        /// The mean.
        public var mean: Double
        /// The lower end of the interval that holds the mean over all data with 95 % chance, by the normal law of means;
        /// absent for one example.
        public var low: Double?
        /// Its upper end.
        public var high: Double?

        /// The mean of values, one for each example.
        init(_ values: [Double]) {
            let count = Double(values.count)
            let mean = values.reduce(0, +) / count
            self.mean = mean
            guard values.count > 1 else { return }
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
            let half = 1.96 * (variance / count).squareRoot()
            (low, high) = (mean - half, mean + half)
        }

        /// The same in another unit.
        func scaled(by factor: Double) -> Interval {
            var scaled = self
            (scaled.mean, scaled.low, scaled.high) = (
                mean * factor, low.map { $0 * factor }, high.map { $0 * factor }
            )
            return scaled
        }
    }

    /// A number of the data in both units: bits for each element, and nats for each example.
    public struct Quantity: Codable, Sendable, Equatable {
        /// Bits for each element of an example.
        public var bitsPerDimension: Interval
        /// Nats for a whole example.
        public var nats: Interval

        /// From the bits per dimension of each example.
        init(bits: [Double], dimension: Int) {
            bitsPerDimension = Interval(bits)
            nats = bitsPerDimension.scaled(by: Double(dimension) * log(2))
        }

        enum CodingKeys: String, CodingKey {
            case nats
            case bitsPerDimension = "bits_per_dimension"
        }
    }

    /// The variational bound, term by term.
    public struct Bound: Codable, Sendable, Equatable {
        /// The bound.
        public var total: Quantity
        /// L_T, what is left of the data in the most noise.
        public var prior: Quantity
        /// The sum of L₁ … L_{T−1}.
        public var middle: Quantity
        /// L₀, the decoder's part.
        public var decoder: Quantity
        /// The time of each step, from the data on.
        public var times: [Double]
        /// L₀ … L_{T−1} in bits per dimension, means over examples.
        public var steps: [Double]
        /// The variance of the model's steps.
        public var variance: String
        /// Whether estimated data are cut off at ±1.
        public var clipsData: Bool
        /// What L₀ is.
        public var decoderKind: String

        enum CodingKeys: String, CodingKey {
            case total, prior, middle, decoder, times, steps, variance
            case clipsData = "clips_data"
            case decoderKind = "decoder_kind"
        }
    }

    /// A point of the rate–distortion curve.
    public struct RatePoint: Codable, Sendable, Equatable {
        /// The time of the level that is known; absent when the data themselves are.
        public var time: Double?
        /// What has been sent, in bits per dimension.
        public var rate: Double
        /// The root of the mean squared error of the estimated data: on the scale of 0 to 255 for pictures.
        public var distortion: Double
    }

    /// The likelihood by the probability flow.
    public struct Flow: Codable, Sendable, Equatable {
        /// −log p: with uniform dequantisation for pictures, of the density for points.
        public var negativeLogLikelihood: Quantity
        /// How the flow was followed, in words.
        public var integration: String
        /// How its divergence was found.
        public var divergence: String
        /// What was added to pictures' values; absent for points.
        public var dequantisation: String?
        /// σ/α of the level whose samples stand for the data.
        public var leastNoise: Double

        enum CodingKeys: String, CodingKey {
            case integration, divergence, dequantisation
            case negativeLogLikelihood = "negative_log_likelihood"
            case leastNoise = "least_noise"
        }
    }

    /// The model.
    public var model: String
    /// The number of examples.
    public var count: Int
    /// The number of elements of one.
    public var dimension: Int
    /// Whether examples are pictures.
    public var arePictures: Bool
    /// What they were conditioned on, in words.
    public var condition: String
    /// The bound; absent where it was not wanted or there is none.
    public var bound: Bound?
    /// Why there is no bound that was wanted.
    public var boundOmitted: String?
    /// The rate–distortion curve of progressive coding, most noise first.
    public var rateDistortion: [RatePoint]?
    /// The likelihood by the flow; absent where it was not wanted.
    public var flow: Flow?
    /// −log p in closed form; only of an exact model.
    public var exact: Quantity?

    enum CodingKeys: String, CodingKey {
        case model, count, dimension, condition, bound, flow, exact
        case arePictures = "pictures"
        case boundOmitted = "bound_omitted"
        case rateDistortion = "rate_distortion"
    }
}

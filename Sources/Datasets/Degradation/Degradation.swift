import Tensors

/// What makes a small picture with faults of a large clean one, as Real-ESRGAN is trained on: blur, resizing, noise and JPEG,
/// twice, with numbers drawn for each picture, and at the end the rings of a sinc filter.
///
/// The numbers are those that its authors published with their code (their options for `realesrgan_x4plus`). They sharpen the
/// large picture first, which is no part of the degradation and left out here.
/// Source: Wang et al. 2021 (arXiv:2107.10833), section 3.
public struct Degradation: Sendable, Equatable {
    /// How kernels of a blur are drawn.
    public struct Blur: Sendable, Equatable {
        /// How often pictures are blurred.
        public var probability = 1.0
        /// How often the kernel is a sinc filter.
        public var lowPassProbability = 0.1
        /// How often each of `DrawnKernel.all` is the kernel where it is none.
        public var shares = [0.45, 0.25, 0.12, 0.03, 0.12, 0.03]
        /// σ in pixels.
        public var deviations: ClosedRange<Double>
        /// β of generalized Gaussians; half of them lie below 1.
        public var generalizedPowers = 0.5...4.0
        /// β of plateaus.
        public var plateauPowers = 1.0...2.0
    }

    /// One blur, resizing, noise and JPEG.
    public struct Pass: Sendable, Equatable {
        /// The blur.
        public var blur: Blur
        /// How often pictures are enlarged, reduced, and left as they are.
        public var resizeShares: [Double]
        /// By how much, from the most that they are reduced to the most that they are enlarged.
        public var scales: ClosedRange<Double>
        /// How often noise is Gaussian; it is Poisson noise otherwise.
        public var gaussianProbability = 0.5
        /// σ of Gaussian noise, of pixels from 0 to 255.
        public var noise: ClosedRange<Double>
        /// What Poisson noise is multiplied with.
        public var poissonScales: ClosedRange<Double>
        /// How often noise is the same in all channels.
        public var greyProbability = 0.4
        /// The quality of JPEG, from 1 to 100.
        public var quality = 30.0...95.0
    }

    /// The passes; the last one ends in the size that is wanted.
    public var passes: [Pass]
    /// How often a sinc filter ends it all.
    public var lastLowPassProbability = 0.8

    private static let first = Pass(
        blur: Blur(deviations: 0.2...3), resizeShares: [0.2, 0.7, 0.1], scales: 0.15...1.5, noise: 1...30,
        poissonScales: 0.05...3)
    private static let second = Pass(
        blur: Blur(probability: 0.8, deviations: 0.2...1.5), resizeShares: [0.3, 0.4, 0.3],
        scales: 0.3...1.2, noise: 1...25, poissonScales: 0.05...2.5)

    /// Both passes, as published.
    public static let realESRGAN = Degradation(passes: [first, second])
    /// The first one alone, which the paper calls the classical model.
    public static let firstOrder = Degradation(passes: [first], lastLowPassProbability: 0)
}

extension Degradation {
    /// Pictures in a lower resolution with faults, each by its own stream of draws.
    /// - Parameters:
    ///   - pictures: `[batch, 1 or 3, height, width]` in −1 … 1.
    ///   - factor: how often a side of the result goes into theirs.
    ///   - seeds: one for each picture.
    /// - Returns: `[batch, channels, height / factor, width / factor]`, of 256 levels in −1 … 1.
    public func callAsFunction(_ pictures: Tensor, by factor: Int, seeds: [UInt64]) throws -> Tensor {
        precondition(
            seeds.count == pictures.shape[0], "\(seeds.count) seeds of \(pictures.shape[0]) pictures")
        let small = try seeds.enumerated().map { index, seed in
            let picture = (pictures.slice(index..<index + 1, of: 0).to(.float32) + 1) / 2
            return try DegradedPicture(picture, factor, RandomGenerator(seed: seed)).degraded(by: self)
        }
        return concatenated(small) * 2 - 1
    }
}

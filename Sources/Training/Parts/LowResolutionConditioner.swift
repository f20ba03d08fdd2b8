import Datasets
import Diffusion
import Networks
import Tensors

/// The pictures in lower resolution beside another condition: means of their pixels, or degraded ones, blurred and noised where
/// that is wanted.
/// Source: Ho et al. 2021 (arXiv:2106.15282), section 4.
public struct LowResolutionConditioner: Conditioner {
    /// How smaller pictures are changed in training.
    public struct Augmentation: Sendable {
        /// What noises them.
        public var noise: ConditioningAugmentation
        /// The share of the process's times up to which they are noised; 0 leaves them clean, and the network reads no noise level.
        public var share = 0.0
        /// The largest deviation in pixels of the blur that half of them get; 0 blurs none.
        public var blur = 0.0
        /// What makes the smaller pictures in place of means of pixels.
        public var degradation: Degradation?

        /// None.
        public init(_ noise: ConditioningAugmentation) { self.noise = noise }
    }

    /// What is conditioned on beside.
    public let base: any Conditioner
    /// How many times larger a side of the pictures is.
    public let factor: Int
    /// How the smaller pictures are changed.
    public let augmentation: Augmentation

    /// A conditioner on smaller pictures and something else.
    public init(_ base: any Conditioner, factor: Int, _ augmentation: Augmentation) {
        (self.base, self.factor, self.augmentation) = (base, factor, augmentation)
    }

    /// Those of the other condition.
    public func classes(of batch: Batch) -> Tensor? { base.classes(of: batch) }

    /// The other condition and the smaller pictures. Draws for each what the other condition does; then, where pictures are
    /// degraded, a seed; where they are blurred, a coin and a number; then, where they are noised, a time and noise. Without a
    /// generator they are clean.
    public func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) throws
        -> Conditions
    {
        var conditions = try base.conditions(of: batch, hiding: generator, on: device)
        let count = batch.data.shape[0]
        var small = try degraded(batch.data, generator) ?? batch.data.averagePooled(factor)
        if let generator, augmentation.blur > 0 {
            let isBlurred = generator.coin([count], probability: 0.5)
            let deviations = generator.uniform([count]) * augmentation.blur
            small = ConditioningAugmentation.blurred(small, by: deviations * isBlurred.to(.float32))
        }
        guard augmentation.share > 0 else {
            conditions[.lowResolution] = small.sent(to: device)
            return conditions
        }
        let times =
            try generator.map { try augmentation.noise.times(count, upTo: augmentation.share, $0) }
            ?? Array(repeating: 0, count: count)
        let (noised, levels) = augmentation.noise.noised(small, at: times, generator?.normal(small.shape))
        conditions[.lowResolution] = noised.sent(to: device)
        conditions[.noiseLevel] = levels.sent(to: device)
        return conditions
    }

    private func degraded(_ pictures: Tensor, _ generator: RandomGenerator?) throws -> Tensor? {
        guard let degradation = augmentation.degradation, let generator else { return nil }
        let seeds = try generator.integers([pictures.shape[0]], in: 0..<Int.max).array(of: Int.self)
        return try degradation(pictures, by: factor, seeds: seeds.map { UInt64($0) })
    }
}

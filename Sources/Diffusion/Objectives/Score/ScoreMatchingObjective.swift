import Tensors

/// Score matching at the levels of a process: the score ∇ ln q of the noisy samples' density, from whatever the
/// network predicts, by a loss that does not need that density.
///
/// The score's error counts σ² times, so that all levels matter alike, or by a weighting; recipes count the errors of the
/// network's own output alike, which is the same where it predicts noise or σ times the score. Where it predicts data, σ²
/// times the score's error would be the error of the data over σ², and nothing but the least noise would be learnt.
/// Source: Vincent 2011, section 4; Song and Ermon 2019 (arXiv:1907.05600), equations 5 and 6; Song et al. 2019
/// (arXiv:1905.07088), section 3.
public struct ScoreMatchingObjective: TimedObjective {
    /// How the score is matched.
    public enum Form: String, Codable, Sendable, CaseIterable {
        /// ½·w·‖s + ε/σ‖², with the noise known.
        case denoising
        /// w·(vᵀ∇s·v + ½·‖s‖²) along a random direction v of each example: of the samples alone. It differentiates the
        /// network twice.
        case sliced
    }

    /// What is trained, and how its network takes a sample.
    public let process: Process
    /// How the score is matched.
    public let form: Form
    /// How much each level counts.
    public let weighting: LossWeighting
    /// How times are drawn.
    public let times: any TimeSampling

    /// An objective.
    /// - Parameter weighting: by default σ² of the score's error, which is 1 of the noise's.
    public init(
        _ process: Process, form: Form = .denoising, weighting: LossWeighting = .uniformNoise,
        times: (any TimeSampling)? = nil
    ) {
        self.process = process
        self.form = form
        self.weighting = weighting
        self.times = times ?? process.schedule.uniformTimes
    }

    /// The loss over the number of elements of each example. Draws the noise where the example has none, then
    /// the directions where it is sliced.
    public func losses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses {
        switch form {
        case .denoising:
            // In the unit of the network's own output nothing is divided by a vanishing σ.
            let objective = DenoisingObjective(process, weighting: weighting, times: self.times)
            return Losses(try objective.losses(example, roles, at: times, generator).total * 0.5)
        case .sliced: return try slicedLosses(example, roles, at: times, generator)
        }
    }

    private func slicedLosses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses {
        let noisy = NoisyExample(example, on: process, at: times, generator)
        let (batch, directions) = (noisy.batch, example.normal(generator))
        let factors = try scoreFactors(batch)
        let losses = try withGradients {
            try ScoreMatching.sliced(noisy.sample, directions: directions) { x in
                batch.combination(factors, of: x, try batch.output(roles.student, x))
            }
        }
        let elements = Double(noisy.data.shape.extents.dropFirst().reduce(1, *))
        let weights = batch.levels.map { weighting.weight(on: Prediction.score, at: $0) / elements }
        return Losses(losses * exampleColumn(weights, like: noisy.data))
    }

    /// The factors of x and of the output F in the score, −(x − α·x̂₀)/σ² with x̂₀ = skip·x + out·F.
    private func scoreFactors(_ batch: ProcessBatch) throws -> [ProcessBatch.Factors] {
        zip(try batch.dataFactors(), batch.levels).map { factors, level in
            let variance = level.sigma * level.sigma
            return ProcessBatch.Factors(
                sample: (level.alpha * factors.skip - 1) / variance,
                output: level.alpha * factors.out / variance)
        }
    }
}

extension ObjectiveWords {
    /// How scores are matched.
    public static let forms = WordTable<ScoreMatchingObjective.Form>(
        "form", ScoreMatchingObjective.Form.allCases.map { form in .init(form.rawValue) { _ in form } })
}

import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct TruncatedSNRTests {
    /// The article's formula for the data, and by its factors for every other prediction, above and below SNR = 1.
    @Test func weightsAreThoseOfTheArticle() {
        for angle in stride(from: 0.05, to: 1.55, by: 0.1) {
            let level = NoiseLevel(alpha: cos(angle), sigma: sin(angle))
            let ratio = pow(level.alpha / level.sigma, 2)
            func expect(
                _ prediction: Prediction, _ value: Double, _ location: SourceLocation = #_sourceLocation
            ) {
                let found = LossWeighting.truncatedSNR.weight(on: prediction, at: level)
                #expect(abs(found - value) < 1e-12 * value, sourceLocation: location)
            }
            expect(.data, max(ratio, 1))
            expect(.noise, max(1, 1 / ratio))
            expect(.velocity, max(ratio, 1) / (ratio + 1))
            expect(.flow, max(ratio, 1) / pow(ratio.squareRoot() + 1, 2))
        }
    }

    /// The two ends have limits for v: all signal, all noise, and the least weight where both are alike.
    @Test func theEndsHaveLimits() {
        let weighting = LossWeighting.truncatedSNR
        #expect(weighting.weight(on: Prediction.velocity, at: NoiseLevel(alpha: 1, sigma: 0)) == 1)
        #expect(weighting.weight(on: Prediction.velocity, at: NoiseLevel(alpha: 0, sigma: 1)) == 1)
        let middle = NoiseLevel(alpha: 0.5.squareRoot(), sigma: 0.5.squareRoot())
        #expect(abs(weighting.weight(on: Prediction.velocity, at: middle) - 0.5) < 1e-15)
    }

    /// A recipe's word is this weighting, and it has no numbers.
    @Test func theWordIsTheWeighting() throws {
        let schedule = TrigonometricSchedule()
        let weighting = try ObjectiveWords.weightings("truncated-snr")(schedule)
        let level = schedule.level(at: 0.3)
        #expect(
            weighting.weight(on: Prediction.noise, at: level)
                == LossWeighting.truncatedSNR.weight(on: Prediction.noise, at: level))
        #expect(throws: DiffusionError.self) {
            try ObjectiveWords.weightings(WordChoice("truncated-snr", ["gamma": 5]))
        }
    }
}

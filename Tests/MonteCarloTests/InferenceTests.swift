import Foundation
import MonteCarlo
import Tensors
import TestSupport
import Testing

@Suite struct InferenceTests {
    @Test func theConjugateModelAgreesWithScipy() throws {
        for one in try Fixture("montecarlo/posteriors-0").cases() {
            let model = GaussianMeanModel(
                prior: DiagonalGaussian(mean: try one("prior_mean"), variance: try one("prior_variance")),
                noiseVariance: try one("noise"), observations: try one("observations"))
            expectClose(model.logEvidence, try one("evidence"), relative: 1e-10)
            expectClose(model.posterior.mean, try one("posterior_mean"), absolute: 1e-8)
            expectClose(model.posterior.variance, try one("posterior_variance"), absolute: 1e-8)
            let q = DiagonalGaussian(mean: try one("mean"), variance: try one("variance"))
            let bound = try one.number("bound")
            #expect(abs(try model.evidenceLowerBound(q) - bound) < 1e-7 * max(1, abs(bound)))
        }
    }

    private func model(_ random: RandomGenerator) -> GaussianMeanModel {
        GaussianMeanModel(
            prior: DiagonalGaussian(
                mean: random.normal([3], .float64), variance: random.uniform([3], .float64) + 0.2),
            noiseVariance: random.uniform([3], .float64) + 0.1, observations: random.normal([4, 3], .float64))
    }

    /// ELBO(q) = ln p(y) − KL(q‖p(θ|y)): equality at the posterior, and the gap elsewhere.
    @Test func theBoundFallsShortByTheDivergenceThousandTimes() throws {
        let random = RandomGenerator(seed: 1)
        for _ in 0..<1000 {
            let model = model(random)
            let q = DiagonalGaussian(
                mean: random.normal([3], .float64), variance: random.uniform([3], .float64) + 0.05)
            let evidence = try model.logEvidence.item(Double.self)
            let gap = try q.divergence(to: model.posterior).nats
            #expect(
                abs(try model.evidenceLowerBound(q) - (evidence - gap)) < 1e-9 * max(1, abs(evidence), gap))
            #expect(
                abs(try model.evidenceLowerBound(model.posterior) - evidence) < 1e-10 * max(1, abs(evidence)))
        }
    }

    /// The Jensen gap of weights p(y, θ)/q(θ) tends to KL(q‖posterior), their normaliser to the evidence.
    @Test func importanceWeightsOfAModelAreItsEvidence() throws {
        let random = RandomGenerator(seed: 2)
        let model = model(random)
        let q = DiagonalGaussian(mean: model.posterior.mean + 0.1, variance: model.posterior.variance * 1.3)
        let samples = ImportanceSampling(target: model.logJoint, proposal: q).samples(50_000, random)
        #expect(abs(try (samples.logNormalizer - model.logEvidence).item()) < 0.01)
        #expect(abs(try samples.jensenGap.item() - q.divergence(to: model.posterior).nats) < 0.02)
        try expectMean(of: samples.logWeights, Tensor(try model.evidenceLowerBound(q)))
    }

    @Test func variationalInferenceFindsAConjugatePosterior() throws {
        let random = RandomGenerator(seed: 3)
        let model = model(random)
        let inference = MeanFieldInference(logJoint: model.logJoint, draws: 256, rate: 0.3, settling: 50)
        let q = inference.run(600, from: model.prior, random)
        #expect(try q.divergence(to: model.posterior).nats < 2e-3)
        #expect(try model.evidenceLowerBound(q) > model.logEvidence.item() - 2e-3)
    }

    /// The nearest independent Gaussian of a correlated one has its mean and the variances 1/Λ_ii, too narrow.
    /// Source: Bishop 2006, section 10.1.2.
    @Test func meanFieldsOfCorrelatedGaussiansAreTooNarrow() throws {
        let covariance = Tensor([1, 0.8, 0.8, 1.5], shape: [2, 2])
        let gaussian = Gaussian(mean: Tensor([1.0, -1]), covariance: covariance)
        let start = DiagonalGaussian(mean: Tensor.zeros([2], .float64), variance: Tensor.ones([2], .float64))
        let inference = MeanFieldInference(logJoint: gaussian.target, draws: 256, rate: 0.3, settling: 50)
        let q = inference.run(600, from: start, RandomGenerator(seed: 4))
        expectClose(q.mean, gaussian.mean, absolute: 0.05)
        expectClose(q.variance, covariance.inverse().diagonal().reciprocal(), relative: 0.06)
    }

    /// No other Gaussian makes the observations likelier; the estimate of the mean is the likelihood's peak.
    @Test func maximumLikelihoodIsAMaximumThousandTimes() throws {
        let random = RandomGenerator(seed: 5)
        for _ in 0..<1000 {
            let model = model(random)
            let best = DiagonalGaussian(mostLikelyFor: model.observations)
            let other = DiagonalGaussian(
                mean: best.mean + random.normal([3], .float64) * 0.1,
                variance: best.variance * (random.normal([3], .float64) * 0.2).exp())
            let likelihoods = [best, other].map { $0.logDensity(model.observations).sum() }
            #expect(try (likelihoods[0] - likelihoods[1]).item() > 0)
            let peak = model.maximumLikelihood
            let near = stacked([peak, peak + random.normal([3], .float64) * 0.1])
            let values = try model.logLikelihood(near).array(of: Double.self)
            #expect(values[0] > values[1])
        }
    }
}

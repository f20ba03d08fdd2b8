import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct EDMTests {
    private let edm = EDMPreconditioning(sigmaData: 0.5)

    /// Table 1 of the article at α = 1.
    @Test func coefficientsAreTheArticles() {
        for sigma in [0.002, 0.1, 0.5, 3, 80] {
            let level = NoiseLevel(alpha: 1, sigma: sigma)
            let total = sigma * sigma + 0.25
            #expect(abs(edm.skip(at: level) - 0.25 / total) < 1e-15)
            #expect(abs(edm.output(at: level) - sigma * 0.5 / total.squareRoot()) < 1e-15)
            #expect(abs(edm.input(at: level) - 1 / total.squareRoot()) < 1e-15)
            #expect(abs(edm.noise(at: level) - log(sigma) / 4) < 1e-15)
            // The loss of F is weighted alike everywhere: λ·c_out² = 1.
            let weight = LossWeighting.edm(sigmaData: 0.5).weight(on: Prediction.data, at: level)
            #expect(abs(weight * pow(edm.output(at: level), 2) - 1) < 1e-12)
        }
    }

    /// What the coefficients are for: inputs and targets of unit variance, and the smallest c_out.
    @Test func inputsAndTargetsHaveUnitVariance() throws {
        let parts = whitened(500, 2, seed: 3).chunked(2, of: 1)
        let (data, noise) = (parts[0] * 0.5, parts[1])
        for level in [NoiseLevel(alpha: 1, sigma: 0.3), NoiseLevel(alpha: 0.8, sigma: 0.6)] {
            let x = data * level.alpha + noise * level.sigma
            let input = x * edm.input(at: level)
            #expect(abs(try input.squared().mean().item() - 1) < 1e-12)
            let target = edm.target(data: data, sample: x, at: level)
            #expect(abs(try target.squared().mean().item() - 1) < 1e-12)
            // The target is uncorrelated with the input: any other c_skip would make c_out larger.
            #expect(abs(try (input * target).mean().item()) < 1e-12)
        }
    }

    @Test func aPerfectRawNetworkIsThePerfectDenoiserInEveryScaling() throws {
        let plane = GaussianPlane()
        let x = RandomGenerator(seed: 2).normal([4, 2], .float64)
        for scale in [1.0, 0.6] {
            let level = NoiseLevel(alpha: 0.8, sigma: 0.6).divided(by: scale)
            let exact = plane.mixture.estimate(x / scale, at: level)
            let denoiser = Denoiser(edm.parameterization) { input, noise in
                // F takes c_in·x and ¼·ln(σ/α) in float32, which do not depend on the scaling.
                #expect(abs(((try? noise.item()) ?? .nan) - log(0.75) / 4) < 1e-8)
                let sample = input / edm.input(at: NoiseLevel(alpha: 0.8, sigma: 0.6))
                return edm.target(
                    data: plane.mixture.estimate(sample, at: NoiseLevel(alpha: 0.8, sigma: 0.6)).data,
                    sample: sample, at: NoiseLevel(alpha: 0.8, sigma: 0.6))
            }
            let found = denoiser(x / scale, level)
            expectClose(found.data, exact.data, absolute: 1e-13)
            expectClose(found.noise, exact.noise, absolute: 1e-13)
        }
    }

    /// Denoising on EDM's process, weighted simply in the unit of F, is the article's loss; so is any prediction with
    /// the article's weights.
    @Test func theObjectiveIsTheArticlesLoss() throws {
        let (data, noise) = GaussianPlane().batch(6, seed: 3)
        let sigmas = [0.01, 0.2, 0.5, 1, 10, 60]
        let raw = smoothNetwork(smoothParameters)
        var own = process(EDMSchedule(), edm)
        own.parameterization = edm.parameterization
        for weighting in [LossWeighting.simple, .edm(sigmaData: 0.5)] {
            let objective = DenoisingObjective(
                own, weighting: weighting, times: DensityTimes(.logNormal(), on: EDMSchedule()))
            let losses = try objective.losses(data, noise: noise, times: sigmas, network: raw)
            for (index, sigma) in sigmas.enumerated() {
                let level = NoiseLevel(alpha: 1, sigma: sigma)
                let x = data[index] + noise[index] * sigma
                let given = raw((x * edm.input(at: level)).unsqueezed(0), Tensor([log(sigma) / 4]))[0]
                let error = (given - edm.target(data: data[index], sample: x, at: level)).squared().mean()
                expectClose(losses[index], error, relative: 1e-9)
            }
            try expectGradient(at: smoothParameters) { parameters in
                try objective.losses(data, noise: noise, times: sigmas, network: smoothNetwork(parameters))
                    .mean()
            }
        }
    }
}

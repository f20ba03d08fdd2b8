import Diffusion
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct LearnedGaussianDiffusionTests {
    /// Data N(0, diag(s²)) whose mean square is 1, and the best reverse process for given β: linear.
    private let variances = Tensor([0.05, 1.95])
    private let process = LearnedGaussianDiffusion(
        stepCount: 12, bumpCount: 4, minimumBeta: 0.01, elementType: .float64)

    /// q(x_{t−1} | x_t) of those data; with the variance of the forward kernel where it is not `exact`.
    private func reverse(_ betas: Tensor, exact: Bool = true) -> LearnedGaussianDiffusion.Reverse {
        { x, times in
            let bars = (1 - betas).cumulativeProduct()
            let (bar, before, beta) = (
                bars.gathered(times).unsqueezed(1),
                bars.rolled(by: 1, of: 0).gathered(times).unsqueezed(1),
                betas.gathered(times).unsqueezed(1)
            )
            let (now, earlier) = (bar * variances + 1 - bar, before * variances + 1 - before)
            return (
                x * (1 - beta).squareRoot() * earlier / now,
                (exact ? beta * earlier / now : beta).log() + x * 0
            )
        }
    }

    /// E K over data and noise: quadratic in both, so a batch with their moments gives it exactly.
    private func expectedBound(_ coefficients: Tensor, exact: Bool = true) -> Tensor {
        let parts = whitened(64, 4, seed: 2).chunked(2, of: 1)
        let betas = process.betas(coefficients)
        return process.bound(
            parts[0] * variances.squareRoot(), noise: { _ in parts[1] }, betas: betas,
            reverse: reverse(betas, exact: exact)
        ).mean()
    }

    /// The variance of what the model gives, by recursion through its linear steps.
    private func modelVariance(_ betas: Tensor, exact: Bool = true) -> Tensor {
        var variance = Tensor.ones([2], .float64)
        for time in (1..<process.stepCount).reversed() {
            let step = reverse(betas, exact: exact)(Tensor.ones([1, 2], .float64), Tensor([time]))
            variance = step.mean[0].squared() * variance + step.logVariance[0].exp()
        }
        return (1 - betas[0]) * variance + betas[0]
    }

    /// E ln p_θ(x₀)
    private func expectedLogLikelihood(_ coefficients: Tensor, exact: Bool = true) throws -> Double {
        let variance = modelVariance(process.betas(coefficients), exact: exact)
        return try (-0.5 * (variances / variance + variance.log() + log(2 * .pi))).sum().item()
    }

    @Test func betasFollowTheirBumps() throws {
        let plain = try process.betas(.zeros([4], .float64)).array(of: Double.self)
        #expect(plain[0] == 0.01)
        for (time, beta) in plain.enumerated().dropFirst() {
            #expect(abs(beta - (0.01 + 0.99 / Double(13 - time))) < 1e-14)
        }
        let bumps = BumpFunctions(count: 4, steps: 12, elementType: .float64)
        #expect(try (bumps.weights.sum([1]) - 1).norm().item() < 1e-14)
        let values = RandomGenerator(seed: 1).normal([3, 4, 2], .float64)
        let found = bumps(values, at: Tensor([0, 5, 11]))
        expectClose(
            found[1].unsqueezed(1), bumps.weights[5].unsqueezed(0).matmul(values[1]).transposed(),
            absolute: 1e-14)
        expectClose(bumps(values[0].select(0, of: 1))[0], found[0][0], absolute: 1e-14)
    }

    /// K ≤ E ln p_θ ≤ −H(data), and the bound comes near with many small steps.
    @Test func theBoundIsBelowTheLikelihood() throws {
        let entropy = try (0.5 * (variances.log() + 1 + log(2 * .pi))).sum().item(Double.self)
        let generator = RandomGenerator(seed: 6)
        for _ in 0..<20 {
            let coefficients = generator.normal([4], .float64) * 2
            for exact in [true, false] {
                let bound = try expectedBound(coefficients, exact: exact).item(Double.self)
                let likelihood = try expectedLogLikelihood(coefficients, exact: exact)
                #expect(bound <= likelihood + 1e-10 && likelihood <= -entropy + 1e-10)
            }
        }
        let bound = try expectedBound(.zeros([4], .float64)).item(Double.self)
        #expect(bound > -entropy - 0.1, "\(bound) of \(-entropy)")
    }

    /// For one example and data of any size too: the bound holds pointwise, edge included.
    @Test func theBoundHoldsForEachExample() throws {
        let betas = process.betas(Tensor([0.5, -0.3, 0.2, 0.1]))
        let variance = modelVariance(betas)
        let noise = whitened(64, 2, seed: 3)
        for point in [[0.0, 0], [1, -1], [3, 0.5], [-0.2, 4]] {
            let data = Tensor(point).unsqueezed(0).repeated([64, 1])
            let bound = process.bound(data, noise: { _ in noise }, betas: betas, reverse: reverse(betas))
            let log = (-0.5 * (Tensor(point).squared() / variance + variance.log() + log(2 * .pi))).sum()
            #expect(try bound.mean().item() <= log.item() + 1e-10)
        }
    }

    /// Whatever the steps' own estimates are, their mean over all steps is the bound.
    @Test func oneStepIsAnUnbiasedEstimate() throws {
        let parts = whitened(64, 4, seed: 2).chunked(2, of: 1)
        let (data, noise, betas) = (parts[0], parts[1], process.betas(Tensor([0.5, -0.3, 0.2, 0.1])))
        let all = process.bound(data, noise: { _ in noise }, betas: betas, reverse: reverse(betas))
        let single = (1..<12).map { time in
            process.bound(
                data, noise: noise, times: Tensor(Array(repeating: time, count: 64)), betas: betas,
                reverse: reverse(betas))
        }
        expectClose(stacked(single).mean([0]), all, absolute: 1e-11)
    }

    /// With frozen noise the bound is a smooth function of β: autograd and differences agree, also
    /// through the parameterisation of the article's code.
    @Test func gradientsWithRespectToBeta() throws {
        let start = Tensor([0.4, -0.6, 0.3, 0.8])
        try expectGradient(at: start) { expectedBound($0) }
        let noise = RandomGenerator(seed: 5).normal([6, 2], .float64)
        let data = RandomGenerator(seed: 7).normal([6, 2], .float64)
        try expectGradient(at: start) { coefficients in
            let betas = process.betas(coefficients)
            return process.bound(data, noise: { _ in noise }, betas: betas) { x, times in
                process.reverseStep(
                    x, times: times, betas: betas, shift: x.tanh() * -0.3, spread: (x * 0.5).cos())
            }.mean()
        }
    }

    /// Ascent on K over β alone, for a reverse process whose variance is the forward one's: the bound
    /// rises at every step and stays below the likelihood.
    @Test func ascentOverBetaRaisesTheBound() throws {
        var coefficients = Tensor([-2.0, 2, -2, 2])
        var bounds = [try expectedBound(coefficients, exact: false).item(Double.self)]
        for _ in 0..<25 {
            let variable = coefficients.requiringGradient()
            let slope = try gradients(
                of: [expectedBound(variable, exact: false)], withRespectTo: [variable])[0]
            coefficients = coefficients.adding(try #require(slope), scale: 1)
            bounds.append(try expectedBound(coefficients, exact: false).item())
        }
        #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "\(bounds)")
        #expect(bounds.last! > bounds[0] + 0.04, "\(bounds)")
        #expect(try bounds.last! <= expectedLogLikelihood(coefficients, exact: false))
    }

    /// Swiss roll: network and β trained together by single random steps; the bound rises above that of
    /// a Gaussian with the data's moments, and samples lie on the roll.
    @Test func swissRoll() throws {
        let generator = RandomGenerator(seed: 11)
        func roll(_ count: Int) -> Tensor {
            let angle = (generator.uniform([count]).squareRoot() * 3 + 1.2) * Double.pi / 1.4
            let points = stacked([angle * angle.cos(), angle * angle.sin()], along: 1) / 4.9
            return points + generator.normal([count, 2]) * 0.03
        }
        let process = LearnedGaussianDiffusion(stepCount: 40, bumpCount: 10, minimumBeta: 2e-3)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let (layers, coefficients) = try store.build { weights in
            (
                [
                    Linear(inputs: 2 + 10, outputs: 96, weights["0"]),
                    Linear(inputs: 96, outputs: 96, weights["1"]),
                    Linear(inputs: 96, outputs: 4, weights["2"]),
                ], weights.parameter("betas", [10], .zeros)
            )
        }
        let bumps = BumpFunctions(count: 10, steps: 40)
        func reverse(_ betas: Tensor) -> LearnedGaussianDiffusion.Reverse {
            { x, times in
                let input = concatenated([x, bumps.weights.gathered(times) * 3], along: 1)
                let output = layers[2](layers[1](layers[0](input).silu()).silu()).chunked(2, of: 1)
                return process.reverseStep(
                    x, times: times, betas: betas, shift: output[0], spread: output[1])
            }
        }
        func heldOut() throws -> Double {
            let noise = RandomGenerator(seed: 77)
            let data = roll(500)
            return try inference {
                let betas = process.betas(coefficients)
                return try process.bound(
                    data, noise: { _ in noise.normal([500, 2]) }, betas: betas, reverse: reverse(betas)
                ).mean().item()
            }
        }
        let optimizer = AdamW(store, AdamW.Configuration(weightDecay: 0))
        var bounds = [try heldOut()]
        for step in 0..<750 {
            let data = roll(256)
            let betas = process.betas(coefficients)
            let bound = process.bound(
                data, noise: generator.normal([256, 2]), times: generator.integers([256], in: 1..<40),
                betas: betas, reverse: reverse(betas))
            try (bound.mean() * -1).backward()
            try optimizer.step(learningRate: 4e-3 * (1 - Double(step) / 750))
            try optimizer.clearGradients()
            if step % 250 == 249 { bounds.append(try heldOut()) }
        }
        #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "\(bounds)")
        let covariance = roll(4000).covariance()
        let gaussian = -0.5 * (try covariance.logDeterminant().item() + 2 * (1 + log(2 * .pi)))
        #expect(bounds.last! > gaussian + 0.2, "\(bounds) \(gaussian)")
        #expect(try coefficients.magnitude().max().item() > 0.05)
        // Distances to the nearest of many points of the roll: 0.38 for unit noise.
        let samples = inference {
            let betas = process.betas(coefficients)
            return process.sample([300, 2], betas: betas, generator, reverse: reverse(betas))
        }
        let distances = (samples.unsqueezed(1) - roll(2000)).squared().sum([2]).min([1]).squareRoot()
        let mean = try distances.mean().item(Double.self)
        #expect(mean < 0.22)
    }
}

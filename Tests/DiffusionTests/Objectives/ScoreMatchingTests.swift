import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ScoreMatchingTests {
    private let plane = GaussianPlane()

    private func exactScore(_ x: Tensor, blur: Double = 0) -> Tensor {
        -(x - plane.mean).matmul((plane.covariance + blur * blur * Tensor.identity(2, .float64)).inverse())
    }

    /// Linear score networks: the minimiser is the exact precision, for every loss that does not know it.
    @Test func theMinimiserIsTheExactPrecision() throws {
        let (data, noise) = plane.batch(400, seed: 5)
        try expectMinimiser("explicit") { added in
            try ScoreMatching.explicit(data) { exactScore($0) + added($0) }
        }
        for sigma in [0.1, 1] {
            try expectMinimiser("denoising") { added in
                ScoreMatching.denoising(data, noise: noise, sigma: sigma) {
                    exactScore($0, blur: sigma) + added($0)
                }
            }
        }
        // Directions along the axes, of covariance 1 over each pair of examples.
        let twice = data.repeatingEach(2, of: 0)
        let axes = (Tensor.identity(2, .float64) * 2.0.squareRoot()).repeated([400, 1])
        for reduces in [true, false] {
            try expectMinimiser("sliced") { added in
                try ScoreMatching.sliced(twice, directions: axes, reducesVariance: reduces) {
                    exactScore($0) + added($0)
                }
            }
        }
        try expectMinimiser("Fisher") { added in
            ScoreMatching.fisherDivergence(exactScore(data) + added(data), from: exactScore(data))
        }
    }

    /// Hyvärinen's theorem: the explicit loss is the Fisher divergence less ½·E‖∇ ln p‖², here tr C⁻¹/2.
    @Test func theExplicitLossIsTheFisherDivergenceAndAConstant() throws {
        let (data, _) = plane.batch(400, seed: 5)
        let constant = try plane.covariance.inverse().trace().item() / 2
        let generator = RandomGenerator(seed: 2)
        for _ in 0..<5 {
            let (w, b) = (generator.normal([2, 2], .float64), generator.normal([2], .float64))
            let explicit = try ScoreMatching.explicit(data) { $0.matmul(w) + b }.mean().item()
            let divergence = ScoreMatching.fisherDivergence(data.matmul(w) + b, from: exactScore(data))
            #expect(abs(explicit - (try divergence.mean().item() - constant)) < 1e-11)
        }
    }

    private func network(_ parameters: Tensor) -> ScoreFunction {
        { x in
            let mixed = x.matmul(Tensor([0.4, -1.1, 0.3, 0.8, 0.5, 0.9], shape: [2, 3]))
            return (mixed * parameters[0] + parameters[1]).tanh()
                .matmul(Tensor([1, 0.2, -0.6, 0.7, 0.1, -0.4], shape: [3, 2])) * parameters[2]
                + x * parameters[3]
        }
    }

    @Test func gradientsAreThoseOfDifferences() throws {
        let (data, noise) = plane.batch(6, seed: 8)
        let losses: [(String, (Tensor) throws -> Tensor)] = [
            ("explicit", { try ScoreMatching.explicit(data, score: network($0)) }),
            ("denoising", { ScoreMatching.denoising(data, noise: noise, sigma: 0.5, score: network($0)) }),
            ("sliced", { try ScoreMatching.sliced(data, directions: noise, score: network($0)) }),
            (
                "sliced, unreduced",
                {
                    try ScoreMatching.sliced(
                        data, directions: noise, reducesVariance: false, score: network($0))
                }
            ),
        ]
        for (name, loss) in losses {
            try expectGradient(at: smoothParameters, name) { try loss($0).sum() }
        }
    }

    /// The trace is that of the Jacobian by differences, and Hutchinson's estimates scatter around it.
    @Test func hutchinsonEstimatesTheExactTrace() throws {
        let score = network(smoothParameters)
        let x = Tensor([0.3, -0.7], shape: [1, 2])
        let square = try score(x).squared().sum().item() / 2
        let exact = try ScoreMatching.explicit(x, score: score).item() - square
        var differences = 0.0
        for axis in 0..<2 {
            let step = Tensor(axis == 0 ? [1e-5, 0] : [0, 1e-5])
            differences += try (score(x + step) - score(x - step))[0][axis].item() / 2e-5
        }
        #expect(abs(exact - differences) < 1e-8)
        let many = x.repeated([20_000, 1])
        let generator = RandomGenerator(seed: 4)
        for directions in [
            generator.normal([20_000, 2], .float64),
            generator.coin([20_000, 2], probability: 0.5).to(.float64) * 2 - 1,
        ] {
            let estimates = try ScoreMatching.sliced(many, directions: directions, score: score) - square
            let error = try estimates.standardDeviation().item() / 20_000.0.squareRoot()
            #expect(abs(try estimates.mean().item() - exact) < 4 * error)
        }
    }

    /// A score that does not depend on its sample has no divergence, and that is no error.
    @Test func constantScoresHaveNoDivergence() throws {
        let x = Tensor.ones([3, 2], .float64)
        #expect(try ScoreMatching.explicit(x) { _ in Tensor.ones([3, 2], .float64) }.sum().item() == 3)
        let sliced = try ScoreMatching.sliced(x, directions: x) { _ in Tensor.ones([3, 2], .float64) }
        #expect(try sliced.sum().item() == 3)
    }
}

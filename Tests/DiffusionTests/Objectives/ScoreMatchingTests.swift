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
            (
                "denoising",
                { try ScoreMatching.denoising(data, noise: noise, sigma: 0.5, score: network($0)) }
            ),
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

    // MARK: at the levels of a process

    /// Both forms are least at the exact score of the noisy data, whatever the network predicts.
    @Test(arguments: Prediction.allCases)
    func theObjectivesMinimiserIsTheExactEstimate(prediction: Prediction) throws {
        let (data, noise) = plane.batch(400, seed: 5)
        for (schedule, scaling) in continuousSchedules {
            let own = process(schedule, prediction, scaling: scaling)
            let level = schedule.level(at: schedule.time(atShare: 0.4))
            let scaled = level.divided(by: scaling.scale(of: level))
            let objective = ScoreMatchingObjective(own)
            try expectMinimiser(tolerance: 1e-9, "\(type(of: schedule))") { added in
                try objective.losses(
                    data, noise: noise, times: Array(repeating: level.time!, count: 400)
                ) { x, _ in
                    prediction.output(plane.mixture.estimate(x, at: scaled), at: scaled) + added(x)
                }
            }
        }
    }

    /// Sliced along all directions, the loss is the denoising one less ½·E‖ε‖² an element, for any network: on
    /// average over the noise, which a sum over many draws comes near to.
    @Test func slicedAndDenoisingDifferByAConstant() throws {
        let count = 100_000
        let generator = RandomGenerator(seed: 4)
        let data = generator.normal([count, 2], .float64).matmul(plane.factor.transposed()) + plane.mean
        let own = process(VariancePreservingSchedule(), Prediction.velocity)
        let network = smoothNetwork(smoothParameters)
        let times = Array(repeating: 0.4, count: count)
        func loss(_ form: ScoreMatchingObjective.Form) throws -> Tensor {
            try ScoreMatchingObjective(own, form: form).losses(
                Example(data: data), Roles(student: network), at: times, RandomGenerator(seed: 9)
            ).total
        }
        let difference = try loss(.denoising) - loss(.sliced)
        let error = try difference.standardDeviation().item() / Double(count).squareRoot()
        #expect(abs(try difference.mean().item() - 0.5) < 4 * error && error < 0.01)
    }

    /// The sliced loss of the level's own score network is the loss on the samples, σ² times an element.
    @Test func slicedAtOneLevelIsTheLossOnItsSamples() throws {
        let (data, noise) = plane.batch(6, seed: 8)
        let schedule = VarianceExplodingSchedule(sigmaMinimum: 0.1, sigmaMaximum: 10)
        let (level, direction) = (schedule.level(at: 0.3), RandomGenerator(seed: 0).normal([6, 2], .float64))
        let objective = ScoreMatchingObjective(
            process(schedule, Prediction.score, scaling: .varianceExploding), form: .sliced)
        let score = network(smoothParameters)
        let found = try objective.losses(data, noise: noise, times: Array(repeating: 0.3, count: 6)) { x, _ in
            (try? score(x)) ?? x
        }
        let expected = try ScoreMatching.sliced(
            data.adding(noise, scale: level.sigma), directions: direction, score: score)
        expectClose(found, expected * (level.sigma * level.sigma / 2), relative: 1e-11)
    }

    /// Without gradients around it (a loss on held-out data), the sliced loss is the same.
    @Test func slicedLossesNeedNoRecording() throws {
        let (data, noise) = plane.batch(6, seed: 8)
        let objective = ScoreMatchingObjective(
            process(StraightSchedule(), Prediction.flow, scaling: .straight), form: .sliced)
        let times = [0.1, 0.2, 0.5, 0.6, 0.8, 0.9]
        func loss() throws -> Tensor {
            try objective.losses(data, noise: noise, times: times, network: smoothNetwork(smoothParameters))
        }
        expectClose(try withoutGradients { try loss() }, try loss(), absolute: 0)
    }
}

import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Guidance on data whose every conditional distribution is known exactly.
@Suite struct GuidedMixtureTests {
    /// Three classes in the plane; the first has two parts.
    private struct Classes {
        let weights: [Double] = [0.2, 0.25, 0.3, 0.25]
        let classOf = [0, 0, 1, 2]
        let means = Tensor([2.0, 0, -1, 1.5, -0.5, -2, 1.5, 1.8], shape: [4, 2])
        let covariances = Tensor(
            [0.1, 0.05, 0.05, 0.2, 0.3, 0, 0, 0.1, 0.2, -0.1, -0.1, 0.15, 0.05, 0, 0, 0.05],
            shape: [4, 2, 2])

        func mixture(of parts: [Int]) -> GaussianMixture {
            let index = Tensor(parts.map { Int64($0) })
            return GaussianMixture(
                weights: Tensor(parts.map { weights[$0] }), means: means.gathered(index),
                covariances: covariances.gathered(index))
        }
        var whole: GaussianMixture { mixture(of: [0, 1, 2, 3]) }
        func conditional(_ label: Int) -> GaussianMixture {
            mixture(of: (0..<4).filter { classOf[$0] == label })
        }
        func share(_ label: Int) -> Double {
            zip(weights, classOf).filter { $0.1 == label }.map(\.0).reduce(0, +)
        }
        /// ln p(y) + ln q(x|y) for each class: logits whose softmax is the exact p(y|x).
        func logits(_ x: Tensor, _ level: NoiseLevel) -> Tensor {
            stacked(
                (0..<3).map { conditional($0).logDensity(x, at: level) + log(share($0)) }, along: 1)
        }
    }

    private let classes = Classes()
    private let schedule = DiscreteSchedule(
        betas: BetaSchedule.linear.betas(count: 1000, from: 1e-4, to: 0.02))

    private func grid(_ steps: Int) -> StepGrid {
        let times = TimeSpacing.trailing.times(steps: steps, of: 1000) + [-1]
        return StepGrid(through: times.map { schedule.level(at: Double($0)) })
    }

    private func run(
        _ start: Tensor, _ grid: StepGrid, _ denoiser: Denoiser, by solver: some Solver = DDIMSolver(),
        seed: UInt64 = 0
    ) -> Tensor {
        let noise = NoiseSource(seed: seed, count: start.shape[0], elementType: .float64)
        var last = start
        for progress in solver.sampling(start, through: grid, denoiser: denoiser, noise: noise) {
            last = progress.sample
        }
        return last
    }

    /// The share of samples `[count, 2]` whose most likely class is the given one.
    private func share(of label: Int, in samples: Tensor) throws -> Double {
        let best = classes.logits(samples, NoiseLevel(alpha: 1, sigma: 0.05)).indexOfMax(1)
        return try (best .== Double(label)).to(.float64).mean().item()
    }

    @Test func theExactClassifierAtScaleOneGivesTheConditionalScoreThousandTimes() throws {
        let generator = RandomGenerator(seed: 1)
        let draws = try generator.uniform([10, 2], .float64).array(of: Double.self)
        for index in 0..<10 {
            let level = NoiseLevel(
                time: 1, alpha: 0.05 + draws[2 * index], sigma: 0.1 + 2 * draws[2 * index + 1])
            let x = generator.normal([100, 2], .float64) * 1.5
            let labels = generator.integers([100], in: 0..<3)
            let guidance = ClassifierGuidance(scale: 1, labels: labels) { classes.logits($0, $1) }
            let guided = guidance.denoiser(classes.whole.denoiser())(x, level)
            for label in 0..<3 {
                let mine = (labels .== Double(label)).unsqueezed(1)
                let exact = classes.conditional(label).estimate(x, at: level)
                let zero = Tensor.zeros([100, 2], .float64)
                expectClose(
                    mine.choosing(guided.noise - exact.noise, otherwise: zero), zero, absolute: 1e-10)
                expectClose(mine.choosing(guided.data - exact.data, otherwise: zero), zero, absolute: 1e-8)
            }
        }
    }

    /// ∇ ln p(y|x) = ∇ ln q(x|y) − ∇ ln q(x): with exact models the two guidances are one.
    @Test(arguments: [0.0, 0.5, 3.0])
    func classifierAndClassifierFreeGuidanceAreTheSameField(scale: Double) throws {
        let x = RandomGenerator(seed: 2).normal([50, 2], .float64)
        for time in [20, 300, 900] {
            let level = schedule.level(at: Double(time))
            let guidance = ClassifierGuidance(scale: scale) { x, level in
                classes.conditional(1).logDensity(x, at: level) - classes.whole.logDensity(x, at: level)
            }
            let byClassifier = guidance.denoiser(classes.whole.denoiser())(x, level)
            let free = ClassifierFreeGuidance(scale: scale).denoiser(
                conditional: classes.conditional(1).denoiser(), unconditional: classes.whole.denoiser())(
                    x, level)
            expectClose(byClassifier.noise, free.noise, absolute: 1e-10)
            expectClose(byClassifier.data, free.data, absolute: 1e-8)
        }
    }

    /// Guidance by the mixture's own parts at scale 1 is one of them; the parts' shares of a sample sum to its density.
    @Test func partsAreTheClassesOfAMixture() throws {
        let (whole, x) = (classes.whole, RandomGenerator(seed: 12).normal([6, 2], .float64))
        for time in [10, 400] {
            let level = schedule.level(at: Double(time))
            expectClose(
                whole.partLogits(x, at: level).logSumExp([1]), whole.logDensity(x, at: level),
                absolute: 1e-12)
            for part in 0..<4 {
                let exact = classes.mixture(of: [part]).estimate(x, at: level)
                expectClose(whole.part(part).estimate(x, at: level).noise, exact.noise, absolute: 1e-12)
                let guidance = ClassifierGuidance(
                    scale: 1, labels: Tensor([Int64](repeating: Int64(part), count: 6))
                ) { whole.partLogits($0, at: $1) }
                let guided = guidance.denoiser(whole.denoiser())(x, level)
                expectClose(guided.noise, exact.noise, absolute: 1e-10)
                expectClose(guided.data, exact.data, absolute: 1e-8)
            }
        }
    }

    @Test func aSampleWithoutDataIsLeftAlone() throws {
        let x = RandomGenerator(seed: 3).normal([4, 2], .float64)
        let level = NoiseLevel(alpha: 0, sigma: 1)
        let plain = classes.whole.denoiser()
        let guided = ClassifierGuidance(scale: 5, labels: Tensor([Int64](repeating: 0, count: 4))) {
            classes.logits($0, $1)
        }.denoiser(plain)(x, level)
        #expect(try guided.data.isIdentical(to: plain(x, level).data))
        let constant = ClassifierGuidance(scale: 5) { _, _ in Tensor.zeros([4], .float64) }
        #expect(try constant.gradient(x, at: level).isIdentical(to: Tensor.zeros([4, 2], .float64)))
    }

    /// Both forms of the paper draw from the exact conditional distribution, up to the error of the steps.
    @Test func guidedAncestralSamplesHaveTheConditionalMoments() throws {
        let (count, label) = (4000, 1)
        let grid = grid(100)
        let start = RandomGenerator(seed: 4).normal([1, count, 2], .float64)
        let exact = classes.means[2]
        let covariance = classes.covariances[2]
        let guidance = ClassifierGuidance(scale: 1) { x, level in
            let flat = x.reshaped([count, 2])
            return classes.conditional(label).logDensity(flat, at: level)
                - classes.whole.logDensity(flat, at: level)
        }
        // One picture of many points, so that one stream of noise serves them all.
        let plain = Denoiser { x, level in
            let estimate = classes.whole.estimate(x.reshaped([count, 2]), at: level)
            return Estimate(data: estimate.data.reshaped(x.shape), noise: estimate.noise.reshaped(x.shape))
        }
        let shifted = run(start, grid, plain, by: guidance.shifting(DDPMSolver()), seed: 5)
        let scored = run(start, grid, guidance.denoiser(plain), by: DDPMSolver(), seed: 6)
        for samples in [shifted, scored].map({ $0.reshaped([count, 2]) }) {
            expectClose(samples.mean([0]), exact, absolute: 0.05)
            expectClose(samples.covariance(), covariance, absolute: 0.05)
            #expect(try share(of: label, in: samples) > 0.99)
        }
    }

    @Test func aWiderTemperatureIsAWeakerGradient() throws {
        let x = RandomGenerator(seed: 7).normal([20, 2], .float64)
        let level = schedule.level(at: 200)
        let labels = Tensor([Int64](repeating: 2, count: 20))
        func gradient(_ temperature: Double) -> Tensor {
            ClassifierGuidance(scale: 1, temperature: temperature, labels: labels) {
                classes.logits($0, $1)
            }.gradient(x, at: level)
        }
        // As the temperature grows, softmax becomes linear: τ·∇ tends to ∇(logit − mean logit).
        let leaf = x.requiringGradient()
        let logits = classes.logits(leaf, level)
        let total = (logits.select(2, of: 1) - logits.mean([1])).sum()
        let limit = try #require(try gradients(of: [total], withRespectTo: [leaf])[0])
        expectClose(gradient(1e6) * 1e6, limit, absolute: 1e-3)
    }

    @Test func unwantedClassesAreRepelled() throws {
        let start = RandomGenerator(seed: 8).normal([1000, 2], .float64)
        let grid = grid(50)
        let whole = classes.whole.denoiser()
        let before = try share(of: 1, in: run(start, grid, whole))
        let negative = ClassifierFreeGuidance(scale: 2).denoiser(
            conditional: whole, unconditional: classes.conditional(1).denoiser())
        #expect(try share(of: 1, in: run(start, grid, negative)) < 0.2 * before)
        // Perp-Neg turns the way to a pair of classes away from one of them.
        let branches = Branches(
            conditional: classes.mixture(of: [2, 3]).denoiser(), unconditional: whole,
            negatives: [classes.conditional(1).denoiser()])
        func repelled(_ weight: Double) throws -> Double {
            let guidance = PerpendicularNegativeGuidance(scale: 1.5, weights: [weight])
            return try share(of: 1, in: run(start, grid, guidance.denoiser(branches)))
        }
        #expect(try repelled(1.5) < repelled(0) - 0.1)
    }

    /// Renoising with the unconditional noise keeps inversion near the path that sampling takes back. The
    /// scales are those that the paper takes for equally strong.
    @Test(arguments: [(0.4, 5.0), (0.6, 7.5), (1.0, 12.5)])
    func manifoldConstrainedGuidanceInvertsBetter(scale: Double, plainScale: Double) throws {
        let grid = grid(50)
        let (conditional, whole) = (classes.conditional(1).denoiser(), classes.whole.denoiser())
        let data = run(RandomGenerator(seed: 9).normal([200, 2], .float64), self.grid(200), conditional)
        func error(_ guidance: some Guidance, inverse: some Guidance) throws -> Double {
            func denoiser(_ guidance: some Guidance) -> Denoiser {
                guidance.denoiser(conditional: conditional, unconditional: whole)
            }
            let noise = run(data, grid.inverted(), denoiser(inverse))
            return try (run(noise, grid, denoiser(guidance)) - data).squared().mean().item().squareRoot()
        }
        let constrained = ManifoldConstrainedGuidance(scale: scale)
        let plain = ClassifierFreeGuidance(scale: plainScale)
        let errors = (
            try error(constrained, inverse: constrained.inverse), try error(plain, inverse: plain)
        )
        #expect(errors.0 < 0.9 * errors.1, "\(errors)")
    }

    /// Gaussian data of variance v, a model that knows it and one that takes it for v′: the guided score
    /// is −x·(w/(α²v + σ²) − (w − 1)/(α²v′ + σ²)).
    @Test func autoGuidanceOfGaussiansIsClosed() throws {
        let (right, wrong, weight) = (0.3, 0.8, 1.7)
        func model(_ variance: Double) -> Denoiser {
            GaussianMixture(
                weights: Tensor([1.0]), means: Tensor.zeros([1, 2], .float64),
                covariances: Tensor.identity(2, .float64).unsqueezed(0) * variance
            ).denoiser()
        }
        let x = RandomGenerator(seed: 10).normal([5, 2], .float64)
        for time in [0, 100, 600] {
            let level = schedule.level(at: Double(time))
            let guided = AutoGuidance(weight: weight).denoiser(model(right), worse: model(wrong))(x, level)
            func total(_ variance: Double) -> Double {
                level.alpha * level.alpha * variance + level.sigma * level.sigma
            }
            let score = x * -(weight / total(right) - (weight - 1) / total(wrong))
            expectClose(guided.noise, score * -level.sigma, absolute: 1e-12)
        }
    }
}

import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Processes whose path is that of an interpolant, with and without latent noise.
@Suite struct InterpolantProcessTests {
    /// A path and its latent noise, with α and σ in closed form.
    struct Path: Sendable, CustomTestStringConvertible {
        let interpolant: WordChoice
        let latent: WordChoice
        let alpha: @Sendable (Double) -> Double
        let sigma: @Sendable (Double) -> Double
        var testDescription: String { "\(interpolant.word), \(latent.word)" }

        func process(_ prediction: String = "flow") throws -> ProcessDescription {
            try ProcessDescription("flow", prediction: prediction, interpolant: interpolant, latent: latent)
        }
    }

    static let paths: [Path] = interpolants.flatMap { word, alpha, sigma in
        latents.map { latent, gamma in
            Path(interpolant: word, latent: latent, alpha: alpha) { time in
                (sigma(time) * sigma(time) + gamma(time) * gamma(time)).squareRoot()
            }
        }
    }

    private typealias Function = @Sendable (Double) -> Double

    private static let interpolants: [(WordChoice, Function, Function)] = [
        ("straight", { 1 - $0 }, { $0 }),
        ("trigonometric", { cos(.pi / 2 * $0) }, { sin(.pi / 2 * $0) }),
        (
            WordChoice("variance-preserving", ["beta_min": 0.2, "beta_max": 14]),
            { exp(-0.5 * (0.2 * $0 + 6.9 * $0 * $0)) },
            { (1 - exp(-(0.2 * $0 + 6.9 * $0 * $0))).squareRoot() }
        ),
        (WordChoice("conditional-transport", ["sigma_min": 0.05]), { 1 - $0 }, { 0.05 + 0.95 * $0 }),
    ]

    private static let latents: [(WordChoice, Function)] = [
        ("none", { _ in 0 }),
        (WordChoice("bridge", ["scale": 0.3]), { (0.3 * $0 * (1 - $0)).squareRoot() }),
        (WordChoice("sine-squared", ["scale": 0.4]), { 0.4 * pow(sin(.pi * $0), 2) }),
        (WordChoice("constant", ["sigma": 0.2]), { _ in 0.2 }),
    ]

    @Test(arguments: paths) func levelsAndRatesAreTheFormulas(path: Path) throws {
        let schedule = try #require(try path.process().schedule as? any ContinuousSchedule)
        for time in [0.05, 0.3, 0.5, 0.77, 0.95, 1] {
            let level = schedule.level(at: time)
            #expect(abs(level.alpha - path.alpha(time)) < 1e-14)
            #expect(abs(level.sigma - path.sigma(time)) < 1e-14)
            #expect(level.alpha == 0 || abs(schedule.time(logSNR: level.logSNR) - time) < 1e-7)
        }
        for time in [0.05, 0.3, 0.5, 0.77, 0.95] {
            let (rates, step) = (schedule.rates(at: time), 1e-6)
            func slope(_ value: (Double) -> Double) -> Double {
                (value(time + step) - value(time - step)) / (2 * step)
            }
            #expect(abs(rates.alpha - slope(path.alpha)) < 1e-7)
            #expect(abs(rates.sigma - slope(path.sigma)) < 1e-7)
        }
        #expect(schedule.rates(at: 1).sigma.isFinite && schedule.rates(at: 1).alpha.isFinite)
    }

    /// Sampling visits the path's own levels at even times, and ends at the data.
    @Test(arguments: paths) func samplingStaysOnThePath(path: Path) throws {
        let process = try path.process()
        let sampler = try process.sampler(.ddim, steps: 8)
        let levels = sampler.grid.steps.map(\.from)
        #expect(levels.count == 8 && sampler.grid.steps.last?.to.sigma == 0)
        for (index, level) in levels.enumerated() {
            let time = 1 - Double(index) / 8
            #expect(abs(level.alpha - path.alpha(time)) < 1e-14, "\(index)")
            #expect(abs(level.sigma - path.sigma(time)) < 1e-14, "\(index)")
        }
    }

    /// A network sees the same sample and the same time in training as in sampling, with a level's time and without.
    @Test(arguments: paths) func trainingAndSamplingCallTheNetworkAlike(path: Path) throws {
        let process = try path.process().process
        let objective = try FlowMatchingObjective(process)
        let data = RandomGenerator(seed: 1).normal([3, 2], .float64)
        let noise = RandomGenerator(seed: 2).normal([3, 2], .float64)
        for time in [0.2, 0.6] {
            var (trained, times): (Tensor?, Tensor?)
            _ = try objective.losses(data, noise: noise, times: [time, time, time]) { x, given in
                (trained, times) = (x, given)
                return x
            }
            let level = process.schedule.level(at: time)
            let (x, given) = (try #require(trained), try #require(times))
            let scale = level.alpha + level.sigma
            // Without latent noise the sample is known from data and noise.
            if path.latent.word == "none" {
                expectClose(x, (data * level.alpha + noise * level.sigma) / scale, absolute: 1e-14)
            }
            for known in [time, nil] {
                var own = level
                own.time = known
                let denoiser = Denoiser(process.parameterization) { input, now in
                    expectClose(input, x, absolute: 1e-14)
                    let number = (try? now.item(Double.self)) ?? .nan
                    #expect(abs(number - 1000 * time) < 1e-3)
                    return input
                }
                _ = denoiser(x * scale, own)
            }
            expectClose(given, Tensor([time, time, time]) * 1000, absolute: 1e-10)
        }
    }

    /// The flow of Gaussian data N(m, s²) is known on every path: with z = (x₁ − α₁·m)/√(α₁²·s² + σ₁²) it ends at
    /// m + z·√(s² + σ₀²), and where σ₀ is left there, the last step takes the mean of the data, m + z·s²/√(s² + σ₀²).
    @Test(arguments: paths) func theExactFlowCarriesNoiseToData(path: Path) throws {
        let (mean, deviation) = (0.7, 0.4)
        let mixture = GaussianMixture(
            weights: Tensor([1.0]), means: Tensor([mean], shape: [1, 1]),
            covariances: Tensor([deviation * deviation], shape: [1, 1, 1]))
        let start = RandomGenerator(seed: 5).normal([40, 1], .float64)
        func end(_ steps: Int) throws -> Tensor {
            let sampler = try path.process().sampler(.ddim, steps: steps)
            let source = NoiseSource(seed: 0, count: 40, elementType: .float64)
            var last = start
            for step in sampler.sampling(start, denoiser: mixture.denoiser(.flow), source: source) {
                last = step.sample
            }
            return last
        }
        let (alpha, sigma) = (path.alpha(1), path.sigma(1))
        let spread = (alpha * alpha * deviation * deviation + sigma * sigma).squareRoot()
        let kept = deviation * deviation / hypot(deviation, path.sigma(0))
        let exact = (start * sigma - alpha * mean) / spread * kept + mean
        let errors = try [200, 400, 800].map {
            try (end($0) - exact).squared().mean().item(Double.self).squareRoot()
        }
        // Euler's method: the error falls with the steps, by half where the path has no corner at its ends.
        #expect(errors[1] < errors[0] * 0.75 && errors[2] < errors[1] * 0.75, "\(errors)")
        #expect(errors[2] < 0.02, "\(errors)")
    }

    @Test func fileFormsReadBack() throws {
        for path in Self.paths {
            let process = try path.process("v")
            let text = String(decoding: try JSONEncoder().encode(process), as: UTF8.self)
            #expect(try JSONDecoder().decode(ProcessDescription.self, from: Data(text.utf8)) == process)
            #expect(text.contains("interpolant") == (path.interpolant.word != "straight"), "\(text)")
            #expect(text.contains("latent") == (path.latent.word != "none"), "\(text)")
        }
        // What is usual is not written, so that files are those of before.
        let plain = try ProcessDescription("flow", prediction: "v", interpolant: "straight", latent: "none")
        #expect(try plain == ProcessDescription("flow", prediction: "v"))
    }

    @Test(arguments: [
        (
            #"{"kind": "edm", "interpolant": {"kind": "trigonometric"}}"#,
            ["'trigonometric'", "'edm'", "'flow'"]
        ),
        (#"{"kind": "vp-sde", "latent": {"kind": "bridge"}}"#, ["'bridge'", "'vp-sde'"]),
        (#"{"kind": "flow", "interpolant": {"kind": "trigonometri"}}"#, ["'trigonometric'"]),
        (#"{"kind": "flow", "interpolant": "trigonometric"}"#, ["'kind'"]),
        (#"{"kind": "flow", "latent": {"kind": "bridge", "scale": "x"}}"#, ["\"scale\"", "number"]),
        (#"{"kind": "flow", "latent": {"kind": "bridge", "sigma": 1}}"#, ["\"sigma\"", "scale"]),
        (
            #"{"kind": "flow", "latent": {"kind": "sine-squared", "scale": 50}}"#,
            ["sine-squared", "straight"]
        ),
        (
            #"{"kind": "flow", "interpolant": {"kind": "trigonometric"}, "prediction": "noise"}"#,
            ["'noise'", "no signal"]
        ),
    ])
    func whatHasNoMeaningIsRefused(text: String, words: [String]) {
        #expect {
            try JSONDecoder().decode(ProcessDescription.self, from: Data(text.utf8))
        } throws: { error in
            words.allSatisfy("\(error)".contains)
        }
    }

    /// A path that keeps some data at its end allows every prediction.
    @Test(arguments: ProcessKind.predictions)
    func thePathDecidesWhichPredictionsThereAre(prediction: String) throws {
        let flow = try ProcessDescription("flow", prediction: prediction, interpolant: "variance-preserving")
        let level = flow.schedule.level(at: 1)
        #expect(level.alpha > 0 && flow.parameterization.output.word == prediction)
    }
}

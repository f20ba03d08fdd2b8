import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Rows of guidance methods: their formulas on exact models, what they evaluate, what they refuse.
@Suite struct GuidanceMethodTests {
    private static func gaussian(_ mean: [Double], _ variance: Double) -> GaussianMixture {
        GaussianMixture(
            weights: Tensor([1.0]), means: Tensor(mean, shape: [1, 2]),
            covariances: Tensor.identity(2, .float64).unsqueezed(0) * variance)
    }

    private let models: [GuidanceBranch: GaussianMixture] = [
        .unconditional: gaussian([0, 0], 0.8), .conditional: gaussian([1, -0.5], 0.2),
        .negative: gaussian([-0.5, 1], 0.3),
    ]
    private let guide = gaussian([0.8, -0.3], 0.5)
    private let x = RandomGenerator(seed: 3).normal([5, 2], .float64)
    private let level = NoiseLevel(time: 1, alpha: 0.8, sigma: 0.6)

    /// How often each branch was evaluated.
    private final class Counts {
        var byBranch: [GuidanceBranch: Int] = [:]
    }

    private func parts(_ counts: Counts? = nil) -> GuidanceParts {
        var parts = GuidanceParts { branches in
            Denoiser { x, level in
                let estimates = zip(branches, x.chunked(branches.count, of: 0)).map { branch, x in
                    counts?.byBranch[branch, default: 0] += 1
                    return models[branch]!.estimate(x, at: level)
                }
                return Estimate(
                    data: concatenated(estimates.map(\.data)), noise: concatenated(estimates.map(\.noise)))
            }
        }
        parts.grid = karrasGrid(3)
        let guide = guide
        parts.guide = guide.denoiser()
        // ln of a sum that the gradient goes through, and no density.
        parts.classifier = { x, level in (x * x * level.alpha).sum([1]).sin() }
        parts.similarity = parts.classifier
        return parts
    }

    private func settings(_ method: GuidanceMethod, _ scale: Double = 2.5) -> GuidanceSettings {
        var settings = GuidanceSettings(scale: scale, method: method)
        if method.needs.contains(.interval) { settings.interval = 0.1...2 }
        return settings
    }

    private func estimate(_ branch: GuidanceBranch) -> Estimate { models[branch]!.estimate(x, at: level) }

    private func expectEstimate(
        _ settings: GuidanceSettings, data: Tensor, noise: Tensor,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let found = settings.denoiser(parts())(x, level)
        expectClose(found.data, data, absolute: 1e-12, sourceLocation: sourceLocation)
        expectClose(found.noise, noise, absolute: 1e-12, sourceLocation: sourceLocation)
    }

    @Test func namesAreDistinctAndFindTheirRows() {
        #expect(Set(GuidanceMethod.allCases.map(\.name)).count == GuidanceMethod.allCases.count)
        for method in GuidanceMethod.allCases { #expect(GuidanceMethod(rawValue: method.name) == method) }
        #expect(GuidanceMethod(rawValue: "cgf") == nil)
    }

    @Test(arguments: [-1.0, 0, 0.5, 1, 4])
    func formulasAreTakenAsWritten(scale: Double) throws {
        let (c, u, n) = (estimate(.conditional), estimate(.unconditional), estimate(.negative))
        func extrapolated(_ c: Tensor, _ u: Tensor) -> Tensor { u + (c - u) * scale }
        let (data, noise) = (extrapolated(c.data, u.data), extrapolated(c.noise, u.noise))
        expectEstimate(settings(.classifierFree, scale), data: data, noise: noise)
        expectEstimate(settings(.limited, scale), data: data, noise: noise)
        expectEstimate(settings(.manifoldConstrained, scale), data: data, noise: u.noise)

        func perpendicular(_ c: Tensor, _ u: Tensor, _ n: Tensor, _ weight: Double) -> Tensor {
            let (wanted, unwanted) = (c - u, n - u)
            let share = (wanted * unwanted).sum([1]) / (wanted * wanted).sum([1])
            return u + (wanted - (unwanted - wanted * share.unsqueezed(1)) * weight) * scale
        }
        for weight in [nil, 0, 0.4, 2.5] {
            var perpNeg = settings(.perpendicularNegative, scale)
            perpNeg.negativeWeight = weight
            expectEstimate(
                perpNeg, data: perpendicular(c.data, u.data, n.data, weight ?? 1),
                noise: perpendicular(c.noise, u.noise, n.noise, weight ?? 1))
        }

        let worse = guide.estimate(x, at: level)
        expectEstimate(
            settings(.autoGuidance, scale), data: extrapolated(c.data, worse.data),
            noise: extrapolated(c.noise, worse.noise))

        // d/dx of sin(α·|x|²)
        let gradient = x * ((x * x * level.alpha).sum([1]).cos() * 2 * level.alpha).unsqueezed(1)
        expectEstimate(
            settings(.classifier, scale),
            data: u.data + gradient * (scale * level.sigma * level.sigma / level.alpha),
            noise: u.noise - gradient * (scale * level.sigma))
        expectEstimate(
            settings(.clip, scale),
            data: c.data + gradient * (scale * level.sigma * level.sigma / level.alpha),
            noise: c.noise - gradient * (scale * level.sigma))
        // Where steps move their mean, the estimate stays.
        var parts = parts()
        parts.movesMeans = true
        let moving = settings(.clip, scale).denoiser(parts)(x, level)
        #expect(try moving.data.isIdentical(to: c.data) && moving.noise.isIdentical(to: c.noise))
        expectClose(moving.meanShift ?? gradient * 0, gradient * scale, absolute: 1e-12)
    }

    /// Without a name it is what it always was, to the last bit.
    @Test func withoutANameItIsClassifierFreeGuidanceAboveOne() throws {
        let before = ClassifierFreeGuidance(scale: 3)
            .denoiser(batched: parts().model([.unconditional, .conditional]))(x, level)
        let now = GuidanceSettings(scale: 3).denoiser(parts())(x, level)
        #expect(try now.data.isIdentical(to: before.data) && now.noise.isIdentical(to: before.noise))
        for scale in [-2.0, 0, 0.5, 1] {
            let counts = Counts()
            let settings = GuidanceSettings(scale: scale)
            let plain = settings.denoiser(parts(counts))(x, level)
            #expect(!settings.isGuided && settings.branches == [.conditional])
            #expect(counts.byBranch == [.conditional: 1])
            #expect(try plain.data.isIdentical(to: estimate(.conditional).data))
        }
    }

    @Test func outsideTheIntervalTheConditionalBranchAloneIsEvaluated() throws {
        for method in GuidanceMethod.allCases where method.reads.contains(.interval) {
            var settings = settings(method)
            settings.interval = 0.5...2
            for (sigma, isInside) in [(0.1, false), (0.5, false), (0.51, true), (2, true), (2.1, false)] {
                let counts = Counts()
                let own = NoiseLevel(alpha: 0.5, sigma: 0.5 * sigma)
                let found = settings.denoiser(parts(counts))(x, own)
                let plain = models[.conditional]!.estimate(x, at: own)
                #expect(try found.data.isIdentical(to: plain.data) != isInside, "\(method.name) \(sigma)")
                let expected = isInside ? method.branches : [.conditional]
                #expect(counts.byBranch == Dictionary(uniqueKeysWithValues: expected.map { ($0, 1) }))
            }
        }
    }

    /// On the way up, the noise is guided and the data are not.
    @Test func constrainedGuidanceTurnsRoundOnTheWayUp() throws {
        var parts = parts()
        parts.isInverse = true
        let found = settings(.manifoldConstrained, 0.6).denoiser(parts)(x, level)
        let (c, u) = (estimate(.conditional), estimate(.unconditional))
        #expect(try found.data.isIdentical(to: u.data))
        expectClose(found.noise, u.noise + (c.noise - u.noise) * 0.6, absolute: 1e-13)
    }

    // MARK: Refusals

    private let sampler = Sampler(karrasGrid(3), DDIMSolver())

    private func given(_ option: GuidanceOption) -> [(option: GuidanceOption, value: String)] {
        [.guide, .classifier, .noisyCLIP, .negativePrompt].contains(option) ? [(option, "one")] : []
    }

    /// An option that a method reads changes the estimate; one that it does not read is refused by its name.
    @Test(arguments: GuidanceMethod.allCases)
    func optionsActOrAreRefused(method: GuidanceMethod) throws {
        for option in GuidanceOption.allCases {
            var settings = settings(method)
            if option == .interval { settings.interval = 1.5...3 }
            if option == .rescale { settings.rescale = 0.7 }
            if option == .schedule { settings.schedule = .falling }
            if option == .negativeWeight { settings.negativeWeight = 0.4 }
            let needed = method.needs.flatMap(given)
            let all = needed + (method.needs.contains(option) ? [] : given(option))
            guard method.reads.contains(option) else {
                #expect { try settings.check(with: all, on: sampler) } throws: {
                    ($0 as? DiffusionError)?.field == option.rawValue
                }
                continue
            }
            try settings.check(with: all, on: sampler)
            guard [.interval, .schedule, .rescale, .negativeWeight].contains(option) else { continue }
            let (plain, changed) = (
                self.settings(method).denoiser(parts())(x, level), settings.denoiser(parts())(x, level)
            )
            #expect(try !plain.data.isIdentical(to: changed.data), "\(method.name) reads \(option)")
        }
    }

    @Test func whatAMethodNeedsMustBeGiven() {
        for method in GuidanceMethod.allCases {
            for need in method.needs {
                var settings = settings(method)
                settings.interval = nil
                let others = method.needs.filter { $0 != need }.flatMap(given)
                #expect { try settings.check(with: others, on: sampler) } throws: {
                    ($0 as? DiffusionError)?.field == need.rawValue
                }
            }
        }
    }

    @Test func whatHasNoPartAtAScaleIsRefused() throws {
        var plain = GuidanceSettings(scale: 1, method: .classifierFree)
        plain.rescale = 0.5
        var limited = GuidanceSettings(scale: 1, method: .limited)
        limited.interval = 0.1...1
        for settings in [plain, limited] {
            #expect { try settings.check(on: sampler) } throws: { "\($0)".contains("has no part") }
        }
        let guided = GuidanceSettings(scale: 1, method: .autoGuidance)
        #expect { try guided.check(with: [(.guide, "worse")], on: sampler) } throws: {
            ($0 as? DiffusionError)?.field == "guide"
        }
        // A negative prompt beside a scale of 1 is not refused here: it is worth a note.
        try GuidanceSettings(scale: 1).check(with: [(.negativePrompt, "rain")], on: sampler)
    }

    @Test func valuesThatMeanNothingAreRefused() {
        func field(_ set: (inout GuidanceSettings) -> Void) -> String? {
            var settings = GuidanceSettings(scale: 3, method: .limited)
            settings.interval = 0.1...1
            set(&settings)
            do { try settings.check(on: sampler) } catch { return (error as? DiffusionError)?.field }
            return nil
        }
        #expect(field { _ in } == nil)
        #expect(field { $0.scale = 1e300 } == "guidance")
        #expect(field { $0.rescale = 1.5 } == "guidance_rescale")
        #expect(field { $0.interval = -1...2 } == "guidance_interval")
        #expect(field { $0.interval = 2...2 } == "guidance_interval")
        #expect(
            field { ($0.method, $0.interval, $0.negativeWeight) = (.classifierFree, nil, 0.5) }
                == "negative_weight")
        #expect(field { $0.negativeWeight = -1 } == "negative_weight")
        #expect(field { $0.negativeWeight = 1e300 } == "negative_weight")
    }

    /// Data and noise of two branches have a meaning only for steps that are made of them.
    @Test func constrainedGuidanceGoesWithStepsOfTheEstimateAlone() throws {
        let settings = settings(.manifoldConstrained, 0.6)
        let grid = karrasGrid(4)
        let fitting: [Method] = [.ddim, .euler, .eulerAncestral, .flowEuler]
        for method in Method.allCases {
            let sampler = try method.sampler(on: grid)
            let isRefused = (try? settings.check(on: sampler)) == nil
            #expect(isRefused != fitting.contains(method), "\(method.name)")
        }
        let ranged = Sampler(
            grid, DDIMSolver(), thresholding: .fixed(range: 1), recomputesNoise: true)
        #expect { try settings.check(on: ranged) } throws: {
            ($0 as? DiffusionError)?.field == "guidance_method"
        }
    }
}

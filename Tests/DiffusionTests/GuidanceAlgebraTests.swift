import Diffusion
import Tensors
import TestSupport
import Testing

/// What must hold of guidance for any estimates: identities, linearity, order of composition.
@Suite struct GuidanceAlgebraTests {
    /// A random sample with estimates that fit it, and a random scale.
    private struct Case {
        let x: Tensor, level: NoiseLevel, branches: Branches<Estimate>, scale: Double, other: Double
    }

    /// - Parameter fits: whether every branch satisfies x = α·data + σ·noise.
    private func cases(_ count: Int = 1000, seed: UInt64, negatives: Int = 0) throws -> [Case] {
        let generator = RandomGenerator(seed: seed)
        let draws = try generator.uniform([count, 4], .float64).array(of: Double.self)
        return (0..<count).map { index in
            let draw = draws[4 * index..<4 * index + 4].map { $0 }
            let level = NoiseLevel(time: 1, alpha: 0.1 + draw[0], sigma: 0.1 + 2 * draw[1])
            let x = generator.normal([2, 3, 2], .float64)
            func estimate() -> Estimate {
                Prediction.data.estimate(generator.normal([2, 3, 2], .float64), sample: x, at: level)
            }
            let branches = Branches(
                conditional: estimate(), unconditional: estimate(),
                negatives: (0..<negatives).map { _ in estimate() })
            return Case(
                x: x, level: level, branches: branches, scale: draw[2] * 20 - 5, other: draw[3] * 20 - 5)
        }
    }

    private func expectIdentical(
        _ a: Estimate, _ b: Estimate, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(try a.data.isIdentical(to: b.data), sourceLocation: sourceLocation)
        #expect(try a.noise.isIdentical(to: b.noise), sourceLocation: sourceLocation)
    }

    private func expectClose(
        _ a: Estimate, _ b: Estimate, _ tolerance: Double = 1e-11,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (a, b) in [(a.data, b.data), (a.noise, b.noise)] {
            TestSupport.expectClose(
                a, b, absolute: tolerance, ofLargest: tolerance, sourceLocation: sourceLocation)
        }
    }

    @Test func neutralScalesAreTheBranchesBitForBitThousandTimes() throws {
        for one in try cases(seed: 1) {
            func guided(_ guidance: some Guidance) -> Estimate {
                guidance(one.branches, sample: one.x, at: one.level)
            }
            let (conditional, unconditional) = (one.branches.conditional, one.branches.unconditional)
            try expectIdentical(guided(ClassifierFreeGuidance(scale: 0)), unconditional)
            try expectIdentical(guided(ClassifierFreeGuidance(scale: 1)), conditional)
            try expectIdentical(guided(AutoGuidance(weight: 1)), conditional)
            try expectIdentical(guided(ManifoldConstrainedGuidance(scale: 0)), unconditional)
            try expectIdentical(
                guided(ManifoldConstrainedGuidance(scale: 1)),
                Estimate(data: conditional.data, noise: unconditional.noise))
            try expectIdentical(
                guided(PerpendicularNegativeGuidance(scale: 0, weights: [])), unconditional)
            let plain = ClassifierFreeGuidance(scale: one.scale)
            try expectIdentical(
                guided(PerpendicularNegativeGuidance(scale: one.scale, weights: [])), guided(plain))
            try expectIdentical(guided(plain.rescaled(0, of: .noise)), guided(plain))
            try expectIdentical(guided(plain.limited(above: 0, upTo: .infinity)), guided(plain))
            try expectIdentical(guided(plain.limited(above: 1000, upTo: .infinity)), conditional)
        }
    }

    @Test func guidanceIsLinearInItsBranchesAndItsScaleThousandTimes() throws {
        for (one, two) in zip(try cases(seed: 2), try cases(seed: 3)) {
            let factor = two.scale
            func combined(_ a: Estimate, _ b: Estimate) -> Estimate {
                Estimate(
                    data: a.data + b.data * factor, noise: a.noise + b.noise * factor)
            }
            func check(_ make: (Double) -> some Guidance) {
                let guidance = make(one.scale)
                func guided(_ branches: Branches<Estimate>) -> Estimate {
                    guidance(branches, sample: one.x, at: one.level)
                }
                let sum = Branches(
                    conditional: combined(one.branches.conditional, two.branches.conditional),
                    unconditional: combined(one.branches.unconditional, two.branches.unconditional))
                expectClose(guided(sum), combined(guided(one.branches), guided(two.branches)))
                // Halfway between two scales lies halfway between their estimates.
                let middle = make((one.scale + one.other) / 2)(one.branches, sample: one.x, at: one.level)
                let end = make(one.other)(one.branches, sample: one.x, at: one.level)
                let start = guided(one.branches)
                expectClose(
                    middle,
                    Estimate(
                        data: (start.data + end.data) * 0.5, noise: (start.noise + end.noise) * 0.5))
            }
            check { ClassifierFreeGuidance(scale: $0) }
            check { AutoGuidance(weight: $0) }
            check { ManifoldConstrainedGuidance(scale: $0) }
        }
    }

    /// Guiding estimates is guiding outputs, whatever the outputs mean; and the estimate still fits the
    /// sample.
    @Test func guidanceDoesNotDependOnThePredictionThousandTimes() throws {
        for one in try cases(seed: 4, negatives: 2) {
            let pair = Branches(
                conditional: one.branches.conditional, unconditional: one.branches.unconditional)
            let plain = ClassifierFreeGuidance(scale: one.scale)(pair, sample: one.x, at: one.level)
            let perpendicular = PerpendicularNegativeGuidance(scale: one.scale, weights: [0.7, one.other])
            let guided = perpendicular(one.branches, sample: one.x, at: one.level)
            for estimate in [plain, guided] {
                let back = estimate.data * one.level.alpha + estimate.noise * one.level.sigma
                TestSupport.expectClose(back, one.x, absolute: 1e-9)
            }
            for prediction in Prediction.allCases {
                let (c, u) = (
                    prediction.output(pair.conditional, at: one.level),
                    prediction.output(pair.unconditional, at: one.level)
                )
                let output = u + (c - u) * one.scale
                expectClose(plain, prediction.estimate(output, sample: one.x, at: one.level), 1e-10)
            }
        }
    }

    @Test func perpendicularPartsDoNotTouchTheWantedDirectionThousandTimes() throws {
        for one in try cases(seed: 5, negatives: 1) {
            let wanted = one.branches.conditional.data - one.branches.unconditional.data
            let guided = PerpendicularNegativeGuidance(scale: 1, weights: [one.other])(
                one.branches, sample: one.x, at: one.level)
            let moved = guided.data - one.branches.conditional.data
            let products = (moved * wanted).sumPerExample()
            let bound = one.branches.negatives[0].data.norm() * wanted.norm() * 1e-12 * (1 + abs(one.other))
            #expect(try (products.magnitude().max() .< bound + 1e-11).item(Bool.self))
            // A negative that is the wanted condition itself, or none at all, repels nothing.
            for harmless in [one.branches.conditional, one.branches.unconditional] {
                var branches = one.branches
                branches.negatives = [harmless]
                let same = PerpendicularNegativeGuidance(scale: one.scale, weights: [one.other])(
                    branches, sample: one.x, at: one.level)
                branches.negatives = []
                let plain = ClassifierFreeGuidance(scale: one.scale)(branches, sample: one.x, at: one.level)
                expectClose(same, plain, 1e-10)
            }
        }
    }

    @Test func rescalingKeepsTheSpreadOfTheConditionalOutputThousandTimes() throws {
        for (index, one) in try cases(seed: 6).enumerated() {
            let prediction = Prediction.allCases[index % Prediction.allCases.count]
            func spread(_ estimate: Estimate) -> Tensor {
                prediction.output(estimate, at: one.level).flattened(from: 1).standardDeviation([1])
            }
            let plain = ClassifierFreeGuidance(scale: one.scale)
            let guided = plain.rescaled(1, of: prediction)(one.branches, sample: one.x, at: one.level)
            TestSupport.expectClose(
                spread(guided), spread(one.branches.conditional), relative: 1e-9, absolute: 1e-10)
            let half = plain.rescaled(0.5, of: prediction)(one.branches, sample: one.x, at: one.level)
            let none = plain(one.branches, sample: one.x, at: one.level)
            TestSupport.expectClose(
                prediction.output(half, at: one.level),
                (prediction.output(guided, at: one.level) + prediction.output(none, at: one.level)) * 0.5,
                absolute: 1e-10, ofLargest: 1e-10)
        }
    }

    @Test func outsideItsIntervalGuidanceCostsNothing() throws {
        let x = RandomGenerator(seed: 7).normal([2, 3], .float64)
        var asked = 0
        let conditional = Denoiser { x, _ in Estimate(data: x * 2, noise: x) }
        let unconditional = Denoiser { x, _ in
            asked += 1
            return Estimate(data: x, noise: x * 3)
        }
        let limited = ClassifierFreeGuidance(scale: 4).rescaled(0.5, of: .noise)
            .limited(above: 0.5, upTo: 2)
            .denoiser(conditional: conditional, unconditional: unconditional)
        for (ratio, count) in [(0.2, 0), (0.5, 0), (0.6, 1), (2, 2), (2.1, 2), (.infinity, 2)] {
            let level =
                ratio.isFinite
                ? NoiseLevel(alpha: 0.5, sigma: 0.5 * ratio) : NoiseLevel(alpha: 0, sigma: 1)
            let estimate = limited(x, level)
            #expect(asked == count)
            if asked == 0 { try expectIdentical(estimate, conditional(x, level)) }
        }
    }

    @Test func theOrderOfCompositionIsTheOrderOfWriting() throws {
        for one in try cases(50, seed: 8) {
            let (x, level) = (one.x, one.level)
            let branches = one.branches.map { estimate in Denoiser { _, _ in estimate } }
            let guidance = ClassifierFreeGuidance(scale: one.scale)
            // Interval and rescaling commute: outside, the conditional spread is its own.
            let ratio = level.noiseRatio
            for (lower, upper) in [(ratio * 0.5, ratio * 2), (ratio * 2, ratio * 3)] {
                let one = guidance.rescaled(0.7, of: .velocity).limited(above: lower, upTo: upper)
                let two = guidance.limited(above: lower, upTo: upper).rescaled(0.7, of: .velocity)
                expectClose(one.denoiser(branches)(x, level), two.denoiser(branches)(x, level))
            }
            // Thresholding after guidance bounds what guidance gave; before it, what it was given.
            let after = guidance.denoiser(branches).thresholded(.fixed(range: 1))(x, level)
            let whole = guidance(one.branches, sample: x, at: level)
            try expectIdentical(
                after, Estimate(data: whole.data.clamped(to: -1...1), noise: whole.noise))
            let before = guidance.denoiser(branches.map { $0.thresholded(.fixed(range: 1)) })(x, level)
            let expected = guidance(
                one.branches.map { Estimate(data: $0.data.clamped(to: -1...1), noise: $0.noise) },
                sample: x, at: level)
            try expectIdentical(before, expected)
        }
    }

    @Test func allBranchesInOneBatchAreTheSameNumbers() throws {
        let generator = RandomGenerator(seed: 9)
        let x = generator.normal([2, 4], .float64)
        let shifts = generator.normal([4, 1, 4], .float64)
        let level = NoiseLevel(alpha: 0.8, sigma: 0.6)
        func branch(_ index: Int) -> Denoiser {
            Denoiser { x, _ in Estimate(data: x + shifts[index], noise: x * shifts[index]) }
        }
        let all = Denoiser { x, level in
            let parts = x.chunked(4, of: 0).enumerated().map { branch($0)($1, level) }
            return Estimate(data: concatenated(parts.map(\.data)), noise: concatenated(parts.map(\.noise)))
        }
        let guidance = PerpendicularNegativeGuidance(scale: 3, weights: [0.5, 2])
        let branches = Branches(
            conditional: branch(1), unconditional: branch(0), negatives: [branch(2), branch(3)])
        try expectIdentical(
            guidance.denoiser(batched: all, negatives: 2)(x, level), guidance.denoiser(branches)(x, level))
    }
}

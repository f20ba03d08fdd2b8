import Checkpoints
import Diffusion
import Tensors
import TestSupport
import Testing

/// Guidance beside diffusers' guiders and the papers' formulas in other hands (`Tools/oracle/guidance.py`).
@Suite struct GuidanceReferenceTests {
    /// The variance-preserving level of ᾱ.
    private func level(_ one: FixtureCase, _ bar: String = "bar") throws -> NoiseLevel {
        let bar = try one.number(bar)
        return NoiseLevel(time: 1, alpha: bar.squareRoot(), sigma: (1 - bar).squareRoot())
    }

    @Test func guidersAgreeWithDiffusers() throws {
        let fixture = try Fixture("guidance/guiders-0")
        let names: [String] = try fixture.case.required("predictions")
        for (index, (one, name)) in zip(try fixture.cases(), names).enumerated() {
            let prediction = try #require(Prediction(rawValue: name))
            let level = NoiseLevel(time: 1, alpha: try one.number("alpha"), sigma: try one.number("sigma"))
            let (x, scale, share) = (try one("sample"), try one.number("scale"), try one.number("share"))
            func branch(_ output: Tensor) -> Denoiser {
                Denoiser { x, level in prediction.estimate(output, sample: x, at: level) }
            }
            let (conditional, worse) = (branch(try one("conditional")), branch(try one("unconditional")))
            let guided: Denoiser
            if index.isMultiple(of: 2) {
                guided = ClassifierFreeGuidance(scale: scale).rescaled(share, of: prediction)
                    .denoiser(conditional: conditional, unconditional: worse)
            } else {
                guided = AutoGuidance(weight: scale).rescaled(share, of: prediction)
                    .denoiser(conditional: conditional, unconditional: worse)
            }
            expectClose(
                prediction.output(guided(x, level), at: level), try one("guided"), relative: 1e-10,
                absolute: 1e-11, "\(index) \(name)")
        }
    }

    @Test func dynamicThresholdingAgreesWithDiffusers() throws {
        for one in try Fixture("guidance/thresholds-0").cases() {
            let thresholding = Thresholding.dynamic(
                quantile: try one.number("quantile"), maximum: try one.number("maximum"))
            let data = try one("data")
            expectClose(thresholding(data), try one("kept"), absolute: 1e-14)
            expectClose(thresholding(data.to(.float32)), try one("kept32"), absolute: 1e-6)
            expectClose(thresholding(data.to(.bfloat16)), try one("kept16"), absolute: 1e-2)
        }
    }

    @Test func perpendicularNegativesAgreeWithLeastSquares() throws {
        for one in try Fixture("guidance/perpendicular-0").cases() {
            let outputs = try one("outputs")
            let guidance = PerpendicularNegativeGuidance(
                scale: try one.number("scale"), weights: try one("weights").array())
            let level = NoiseLevel(time: 1, alpha: 0.6, sigma: 0.8)
            let x = outputs[0] * 0.5
            let branches = Branches(
                conditional: outputs[1], unconditional: outputs[0], negatives: [outputs[2], outputs[3]])
            for prediction in Prediction.allCases {
                let guided = guidance(
                    branches.map { prediction.estimate($0, sample: x, at: level) }, sample: x, at: level)
                expectClose(
                    prediction.output(guided, at: level), try one("guided"), absolute: 1e-11,
                    prediction.rawValue)
            }
        }
    }

    @Test func manifoldConstrainedStepsAgree() throws {
        for one in try Fixture("guidance/plusplus-0").cases() {
            let guidance = ManifoldConstrainedGuidance(scale: try one.number("scale"))
            let step = StepGrid.Step(from: try level(one), to: try level(one, "next_bar"))
            for (guidance, name) in [(guidance, "next"), (guidance.inverse, "inverted")] {
                let guided = guidance.denoiser(
                    conditional: noise(try one("conditional")),
                    unconditional: noise(try one("unconditional")))
                var memory: Void = ()
                let next = DDIMSolver().step(
                    try one("sample"), step, &memory, denoiser: guided,
                    noise: NoiseSource(seed: 0, count: 2))
                expectClose(next.sample, try one(name), relative: 1e-11, absolute: 1e-12, name)
            }
        }
    }

    @Test func bothFormsOfClassifierGuidanceAgree() throws {
        for one in try Fixture("guidance/classifier-0").cases() {
            let (weight, bias) = (try one("weight"), try one("bias"))
            let guidance = ClassifierGuidance(
                scale: try one.number("scale"), temperature: try one.number("temperature"),
                labels: try one("labels").to(.int64)
            ) { x, _ in x.linear(weight, bias: bias) }
            let (x, level, next) = (try one("sample"), try level(one), try level(one, "next_bar"))
            expectClose(guidance.gradient(x, at: level), try one("gradient"), absolute: 1e-12)

            let plain = noise(try one("noise"))
            let guided = guidance.denoiser(plain)(x, level)
            expectClose(guided.noise, try one("guided_noise"), absolute: 1e-12)
            expectClose(guided.data, try one("guided_data"), relative: 1e-11, absolute: 1e-12)

            var step = StepGrid.Step(from: level, to: next)
            step.from.time = 0  // the last step of ancestral sampling gives the mean itself
            for (variance, name) in [
                (MeanShiftedSolver<DDPMSolver>.Variance.posterior, "shifted_mean"),
                (.forward, "shifted_large"),
            ] {
                var memory: Void = ()
                let mean = guidance.shifting(DDPMSolver(), variance: variance).step(
                    x, step, &memory, denoiser: plain, noise: NoiseSource(seed: 0, count: 3))
                expectClose(mean.sample, try one(name), relative: 1e-11, absolute: 1e-12, name)
            }
        }
    }

    private func noise(_ output: Tensor) -> Denoiser {
        Denoiser { x, level in Prediction.noise.estimate(output, sample: x, at: level) }
    }
}

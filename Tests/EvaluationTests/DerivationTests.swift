import Diffusion
import Evaluation
import Tensors
import Testing

@Suite struct DerivationTests {
    private static let schedules: [any NoiseSchedule] = [
        DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 1000, from: 1e-4, to: 0.02)),
        DiscreteSchedule(betas: BetaSchedule.cosine.betas(count: 40, from: 0, to: 0)),
        DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 200, from: 1e-4, to: 0.05))
            .rescaledToZeroTerminalSNR(),
        VariancePreservingSchedule(), EDMSchedule(), StraightSchedule(),
    ]

    /// Every statement holds on every process, with any estimate.
    @Test func everyStatementHolds() throws {
        let rough = Denoiser { x, level in
            let data = (x * 0.7).sin()
            return Estimate(data: data, noise: x.adding(data, scale: -level.alpha) / level.sigma)
        }
        for schedule in Self.schedules {
            let checks = try Derivation(schedule, shape: [1, 3, 3], denoiser: rough).checks()
            #expect(checks.count == 13)
            for check in checks { #expect(check.holds, "\(schedule): \(check.text)") }
            // Two ways of working something out never agree to the last bit everywhere.
            #expect(checks.count { $0.difference > 0 } > 6)
        }
    }

    /// An estimate whose data and noise are not those of the sample is found out.
    @Test func aDenoiserThatContradictsItselfIsFound() throws {
        let wrong = Denoiser { x, _ in Estimate(data: x * 0.5, noise: x * 0.5) }
        let checks = try Derivation(Self.schedules[0], shape: [4], denoiser: wrong).checks()
        let failed = checks.filter { !$0.holds }
        #expect(failed.count == 1 && failed[0].text.hasPrefix("DIFFERS"))
    }

    @Test func shortTablesAreRefused() {
        #expect(throws: DiffusionError.self) {
            try Derivation(
                DiscreteSchedule(betas: [0.1, 0.2, 0.3]), shape: [1],
                denoiser: Denoiser { x, _ in
                    Estimate(data: x, noise: x)
                })
        }
    }
}

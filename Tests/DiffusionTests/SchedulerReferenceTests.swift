import Checkpoints
import Diffusers
import Diffusion
import Foundation
import Storage
import Tensors
import TestSupport
import Testing

/// Whole runs of every class of diffusers and of k-diffusion's functions on exactly solvable models, in float64.
@Suite struct SchedulerReferenceTests {
    /// A few methods (UniPC's linear systems, ancestral steps from σ = 20,000) lose digits in the reference.
    static let tolerance = 1e-8

    @Test(arguments: try runs { !$0.hasPrefix("solvers/k-") })
    func runsOfDiffusersAgree(_ fixture: Fixture) throws {
        let name: String? = try fixture.case.optional("solver")
        let sampler = try configuration("configuration", of: fixture).sampler(
            name.map { try solverName($0) }, steps: fixture.case.required("steps"), options: options(fixture))
        let whole = try wholeSteps(of: sampler.grid, fixture)
        let begins = whole.map { range in sampler.grid.steps[range.lowerBound].from }
        let levels = try fixture.tensor("levels")
        expectClose(
            begins.flatMap { [$0.alpha, $0.sigma] }, try levels.array(), relative: Self.tolerance,
            absolute: 1e-13, "\(fixture.name), levels")
        expectClose(
            begins.map { $0.time ?? .nan }, try fixture.tensor("times").array(),
            absolute: try fixture.case.required("time_tolerance"), ofLargest: Self.tolerance,
            "\(fixture.name), times")
        try expectStates(of: sampler, whole, fixture)
    }

    @Test(arguments: try runs { $0.hasPrefix("solvers/k-") })
    func runsOfKDiffusionAgree(_ fixture: Fixture) throws {
        let process: JSONObject = try fixture.case.required("process")
        let (least, most): (Double, Double) = try (
            process.required("sigma_min"), process.required("sigma_max")
        )
        let rho: Double = try process.required("rho")
        let steps: Int = try fixture.case.required("steps")
        // Karras et al. 2022 (arXiv:2206.00364), equation 5.
        let sigmas = (0..<steps).map { index in
            let share = Double(index) / Double(steps - 1)
            return pow(pow(most, 1 / rho) + share * (pow(least, 1 / rho) - pow(most, 1 / rho)), rho)
        }
        let levels = (sigmas + [0]).map { NoiseLevel(time: $0, alpha: 1, sigma: $0) }
        let grid = StepGrid(through: levels, startScale: most)
        let sampler = try solverName(fixture.case.required("solver")).sampler(on: grid, options(fixture))
        let (count, taken) = (try fixture.tensor("states").shape[0], sampler.grid.steps.count)
        let whole = count == 1 ? [0..<taken] : (0..<taken).map { $0..<($0 + 1) }
        try expectStates(of: sampler, whole, fixture)
    }

    @Test func tablesAgree() throws {
        let fixture = try Fixture("solvers/tables-0")
        let settings: [JSONObject] = try fixture.case.required("configurations")
        for (index, object) in settings.enumerated() {
            let schedule = try object.value(of: SchedulerConfiguration.self).schedule
            expectClose(
                schedule.betas, try fixture.array("\(index).betas"), absolute: 1e-14, "\(object)")
            expectClose(
                schedule.alphaBars, try fixture.array("\(index).alphas_cumprod"), absolute: 1e-14, "\(object)"
            )
        }
    }

    @Test func configurationsOfOtherClassesAgree() throws {
        for fixture in try Fixture.all(in: "solvers", prefix: "convert-") {
            let name = try solverName(fixture.case.required("solver"))
            let steps: Int = try fixture.case.required("steps")
            let direct = try configuration("converted", of: fixture).sampler(steps: steps).grid
            let named = try configuration("configuration", of: fixture).sampler(name, steps: steps).grid
            #expect(direct == named, "\(fixture.name)")
        }
    }

    /// Among them are infinite numbers, which Foundation's coders do not know.
    @Test func configurationsSurviveWriting() throws {
        for fixture in try Fixture.all(in: "solvers", prefix: "DPMSolver") {
            let read = try configuration("configuration", of: fixture)
            let written = try #require(try JSONObject(value: read))
            #expect(try written.value(of: SchedulerConfiguration.self) == read, "\(fixture.name)")
            let parsed = try JSONValue(
                parsing: JSONValue.object(written).text.utf8, place: fixture.name, allowsNonFinite: true)
            #expect(parsed == .object(written), "\(fixture.name)")
        }
    }

    // MARK: Helpers

    /// The fixtures with a run in them whose options a run can be given.
    static func runs(_ isWanted: (String) -> Bool) throws -> [Fixture] {
        try Fixture.all(in: "solvers").filter { fixture in
            let options: JSONObject? = try fixture.case.optional("options")
            return isWanted(fixture.name)
                && options.map {
                    Set($0.keys).isSubset(of: ["eta", "mu", "s_churn", "s_tmin", "s_tmax", "s_noise"])
                } ?? false
        }
    }

    private func configuration(_ key: String, of fixture: Fixture) throws -> SchedulerConfiguration {
        let object: JSONObject = try fixture.case.required(key)
        return try object.value()
    }

    private func solverName(_ name: String) throws -> Method {
        try #require(Method(rawValue: name), "the solver \(name) has no name")
    }

    private func options(_ fixture: Fixture) throws -> SamplerOptions {
        let given: JSONObject = try fixture.case.required("options")
        var options = SamplerOptions()
        options.eta = try given.optional("eta")
        options.shiftExponent = try given.optional("mu")
        if let amount: Double = try given.optional("s_churn"), amount > 0 {
            let (least, most): (Double, Double) = try (given.required("s_tmin"), given.required("s_tmax"))
            (options.churn, options.churnRange) = (amount, least...most)
            options.churnNoise = try given.required("s_noise")
        }
        return options
    }

    /// The steps of a grid that make up each whole step of the reference: one, or one for each call of the network.
    private func wholeSteps(of grid: StepGrid, _ fixture: Fixture) throws -> [Range<Int>] {
        let calls: [Int] = try fixture.case.required("calls")
        if grid.steps.count == calls.count { return calls.indices.map { $0..<($0 + 1) } }
        try #require(grid.steps.count == calls.reduce(0, +), "\(fixture.name) has \(calls.count) steps")
        var end = 0
        return calls.map { count in
            end += count
            return (end - count)..<end
        }
    }

    private func expectStates(of sampler: Sampler, _ whole: [Range<Int>], _ fixture: Fixture) throws {
        let latents = try fixture.tensor("latents")
        let seed: Int = try fixture.case.required("noise_seed")
        let noise = NoiseSource(seed: UInt64(seed), count: latents.shape[0], elementType: .float64)
        let states = sampler.sampling(latents, denoiser: try denoiser(fixture), source: noise).map(\.sample)
        expectClose(
            stacked(whole.map { states[$0.upperBound - 1] }), try fixture.tensor("states"),
            ofLargest: Self.tolerance, "\(fixture.name), states")
    }

    private func denoiser(_ fixture: Fixture) throws -> Denoiser {
        let mixture: JSONObject = try fixture.case.required("mixture")
        let weights: [Double] = try mixture.required("weights")
        let means: [[Double]] = try mixture.required("means")
        let covariances: [[[Double]]] = try mixture.required("covariances")
        let (parts, dimension) = (weights.count, means[0].count)
        let exact = GaussianMixture(
            weights: Tensor(weights), means: Tensor(means.flatMap { $0 }, shape: [parts, dimension]),
            covariances: Tensor(
                covariances.flatMap { $0.flatMap { $0 } }, shape: [parts, dimension, dimension]))
        return exact.denoiser(try prediction(fixture.case.required("prediction")))
    }

    private func prediction(_ word: String) throws -> Prediction {
        let words: [String: Prediction] = [
            "noise": .noise, "data": .data, "v": .velocity, "flow": .flow, "score": .score,
        ]
        return try #require(words[word], "\(word) is no prediction")
    }
}

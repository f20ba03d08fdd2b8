import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// The climb from data to noise, by every method that can, on every process.
@Suite struct InversionTests {
    private static let methods: [Method] = [.ddim, .euler, .flowEuler, .heun, .edm, .flowHeun, .dpm2, .rk45]
    private let data = OneDimensional.pair
    private let picture = Tensor([-1.3, -0.9, -0.2, 0.5, 0.9, 1.6], shape: [2, 3])

    private func process(_ kind: ProcessKind) throws -> ProcessDescription {
        // Noise that leaves some signal, so that the climb does not end where all pictures are alike.
        switch kind.word {
        case "edm": try ProcessDescription("edm", ["sigma_max": .number(10)])
        case "ve": try ProcessDescription("ve", ["sigma_max": .number(10)])
        case "vp-sde", "sub-vp-sde": try ProcessDescription(kind.word, ["beta_max": .number(8)])
        default: try ProcessDescription(kind.word)
        }
    }

    private func run(_ x: Tensor, by sampler: Sampler, _ denoiser: Denoiser? = nil) -> Tensor {
        data.end(of: sampler.scaled(x), sampler.grid, sampler.solver, denoiser: denoiser)
    }

    /// Noise of the data and the data of that noise again, by `steps` steps.
    private func roundTrip(
        _ process: ProcessDescription, _ method: Method, steps: Int,
        _ parameterization: Parameterization? = nil,
        _ denoiser: Denoiser? = nil
    ) throws -> (noise: Tensor, data: Tensor) {
        let down = try process.sampler(method, steps: steps)
        let up = try down.inverted(parameterization)
        let noise = down.unit(run(picture, by: up, denoiser))
        return (noise, run(noise, by: down, denoiser))
    }

    @Test(arguments: ProcessKind.gaussian.map(\.word), methods.map(\.name))
    func theWayBackLeadsToThePictureWithinTheOrdersError(kind: String, method: String) throws {
        let process = try process(#require(ProcessKind.named(kind)))
        let method = try #require(Method(rawValue: method))
        let counts = method.convergence == .adaptive ? [40] : [40, 80, 160]
        let errors = try counts.map { steps -> (Int, Double) in
            let found = try roundTrip(process, method, steps: steps)
            return (steps, try (found.data - picture).norm().item())
        }
        switch method.convergence {
        case .order(1):
            #expect(slope(errors) > 0.8, "\(kind) \(method.name): \(errors)")
            #expect(errors[2].1 < 0.15, "\(kind) \(method.name): \(errors)")
        case .order:
            // The climb begins at the least σ of the grid, which costs σ² where the grid's end does not depend on the
            // number of steps.
            #expect(errors[2].1 < 0.012, "\(kind) \(method.name): \(errors)")
            #expect(errors[2].1 < max(0.5 * errors[0].1, 8e-4), "\(kind) \(method.name): \(errors)")
        default: #expect(errors[0].1 < 0.02, "\(kind) \(method.name): \(errors)")
        }
    }

    /// One normal distribution: the flow carries quantiles to quantiles, so the noise is known.
    @Test(arguments: ["edm", "vp-sde", "flow"])
    func theNoiseIsTheExactFlows(kind: String) throws {
        let normal = OneDimensional()
        let process = try process(#require(ProcessKind.named(kind)))
        for (method, tolerance) in [(Method.ddim, 0.15), (.heun, 0.005), (.rk45, 0.004)] {
            let down = try process.sampler(method, steps: 100)
            let up = try down.inverted()
            let found = normal.end(of: up.scaled(picture), up.grid, up.solver)
            let start = try #require(down.grid.steps.first).from
            let exact = normal.carried(
                picture, from: NoiseLevel(alpha: 1, sigma: 0), to: start)
            expectClose(
                down.unit(found), down.unit(exact), absolute: tolerance, "\(kind) \(method.name)")
        }
    }

    /// Networks that predict the data, or are preconditioned, have no noise where there is none: the climb begins at the
    /// first level that has.
    @Test(arguments: ["data", "edm", "score", "v"])
    func networksWithoutAnEstimateOfDataBeginAboveThem(prediction: String) throws {
        for kind in ["edm", "ve", "vp-sde"] {
            let process = try process(#require(ProcessKind.named(kind))).predicting(prediction)
            let parameterization = process.parameterization
            // A network that is right wherever its output is defined.
            let network = Denoiser { x, level in
                let scale = parameterization.scaling.scale(of: level)
                let own = level.divided(by: scale)
                #expect(parameterization.output.isDefined(at: own) && parameterization.time(level).isFinite)
                return data.denoiser(x, level)
            }
            let found = try roundTrip(process, .ddim, steps: 200, parameterization, network)
            #expect(try (found.data - picture).magnitude().max().item() < 0.1, "\(kind) \(prediction)")
        }
    }

    @Test func methodsThatAddNoiseOrRememberAreRefused() throws {
        let process = try ProcessDescription("edm")
        for method in Method.allCases where !Self.methods.contains(method) {
            let steps = method.convergence == .adaptive ? 2 : 7
            #expect(throws: DiffusionError.self, "\(method.name)") {
                try process.sampler(method, steps: steps).inverted()
            }
        }
        var options = SamplerOptions()
        options.eta = 0.5
        #expect { try process.sampler(.ddim, steps: 5, options: options).inverted() } throws: {
            ($0 as? DiffusionError)?.field == "inversion"
        }
        options = SamplerOptions()
        options.churn = 5
        #expect(throws: DiffusionError.self) {
            try process.sampler(.heun, steps: 5, options: options).inverted()
        }
    }
}

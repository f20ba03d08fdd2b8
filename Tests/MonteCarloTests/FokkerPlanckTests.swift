import Foundation
import MonteCarlo
import Tensors
import TestSupport
import Testing

/// dx = (x − x³)·dt + (base + slope·sin x)·dB
private struct DoubleWell: ItoProcess {
    var base = 0.7, slope = 0.0
    func drift(_ x: Tensor, at time: Double) -> Tensor { x - x.power(3) }
    func diffusion(_ x: Tensor, at time: Double) -> Tensor { x.sin() * slope + base }
}

/// Carried along without any noise.
private struct Wind: ItoProcess {
    func drift(_ x: Tensor, at time: Double) -> Tensor { x * 0 + 1 }
    func diffusion(_ x: Tensor, at time: Double) -> Tensor { Tensor(0.0) }
}

private func bell(_ x: Double, _ mean: Double, _ variance: Double) -> Double {
    exp(-(x - mean) * (x - mean) / (2 * variance)) / (2 * .pi * variance).squareRoot()
}

@Suite struct FokkerPlanckTests {
    /// Density and exact Gaussian of a process at t = 1: the largest difference.
    private func error(_ process: some ExactProcess, cells: Int) throws -> Double {
        let equation = FokkerPlanck(process, on: -6...6, cells: cells)
        let start = equation.start { bell($0, 0.5, 0.09) }
        let end = try equation.advance(start, to: 1, stepSize: 3.2 / Double(cells))
        #expect(abs(equation.mass(end) - 1) < 1e-12 && abs(end.time - 1) < 1e-12)
        let mean = try process.mean(from: Tensor(0.5), after: 1).item(Double.self)
        // A Gaussian start adds its variance, shrunk as the mean is.
        let slope = try process.mean(from: Tensor(1.5), after: 1).item(Double.self) - mean
        let variance = try process.variance(from: Tensor(0.5), after: 1).item() + slope * slope * 0.09
        return zip(equation.centres, end.density).map { abs($1 - bell($0, mean, variance)) }.max() ?? .nan
    }

    @Test func gaussiansStayGaussianToSecondOrder() throws {
        func expectSecondOrder(_ process: some ExactProcess) throws {
            let errors = try [100, 200, 400].map { try error(process, cells: $0) }
            #expect(errors[2] < 1e-3, "\(errors)")
            for (coarse, fine) in zip(errors, errors.dropFirst()) {
                #expect(log2(coarse / fine) > 1.85, "\(errors)")
            }
        }
        try expectSecondOrder(OrnsteinUhlenbeck(rate: 1.2, level: -0.4, volatility: 0.9))
        try expectSecondOrder(BrownianMotion(drift: 0.3, volatility: 0.8))
    }

    /// The stationary density of a constant diffusion is e^(−V/D), and cell by cell that of the flux.
    @Test func theDoubleWellComesToRest() throws {
        let equation = FokkerPlanck(DoubleWell(base: 0.8), on: -2.5...2.5, cells: 300, implicitness: 1)
        var state = equation.start { bell($0, 1, 0.01) }
        for _ in 0..<200 {
            state = try equation.step(state, by: 1)
            #expect((state.density.min() ?? -1) >= 0)
        }
        let exact = equation.centres.map { x in exp(-(pow(x, 4) / 4 - x * x / 2) / 0.32) }
        let mass = exact.reduce(0, +) * equation.width
        expectClose(state.density, exact.map { $0 / mass }, absolute: 2e-4)
        #expect(abs(equation.mass(state) - 1) < 1e-11)
    }

    @Test func densitiesAgreeWithAFineReference() throws {
        for fixture in try Fixture.all(in: "montecarlo", prefix: "density") {
            func number(_ name: String) throws -> Double { try fixture.case.required(name) }
            let well = DoubleWell(base: try number("base"), slope: try number("slope"))
            let cells: Int = try fixture.case.required("cells")
            // Five cells of ours to one of the file.
            let equation = FokkerPlanck(well, on: try number("low")...number("high"), cells: 5 * cells)
            let (centre, width) = (try number("centre"), try number("width"))
            let start = equation.start { bell($0, centre, width * width) }
            let end = try equation.advance(start, to: number("time"), stepSize: 0.002)
            let coarse = Tensor(end.density).reshaped([cells, 5]).mean([1])
            expectClose(coarse, try fixture.tensor("density"), absolute: 3e-4, fixture.name)
        }
    }

    @Test func theDensityIsTheHistogramOfPaths() throws {
        let well = DoubleWell(base: 0.7, slope: 0.2)
        let count = 20_000
        let random = RandomGenerator(seed: 1)
        let start = PathState(position: random.normal([count], .float64) * 0.3)
        let ends = EulerMaruyama(well, stepSize: 0.005).advance(start, to: 1, random).position
        let equation = FokkerPlanck(well, on: -3...3, cells: 300)
        let density = try equation.advance(equation.start { bell($0, 0, 0.09) }, to: 1, stepSize: 0.01)
            .density
        for bin in 0..<15 {
            let low = -3 + 0.4 * Double(bin)
            let inside = ((ends .>= low) .& (ends .< low + 0.4)).to(.float64).mean()
            let expected = density[bin * 20..<bin * 20 + 20].reduce(0, +) * equation.width
            let tolerance = 5 * (expected / Double(count)).squareRoot() + 2e-3
            #expect(abs(try inside.item() - expected) < tolerance, "\(bin)")
        }
    }

    @Test func withoutNoiseTheDensityIsCarriedUpTheWind() throws {
        let equation = FokkerPlanck(Wind(), on: 0...4, cells: 400, implicitness: 1)
        let end = try equation.advance(equation.start { bell($0, 1, 0.04) }, to: 2, stepSize: 0.005)
        let mean = zip(equation.centres, end.density).map(*).reduce(0, +) * equation.width
        #expect(abs(mean - 3) < 1e-3)
        #expect(abs(equation.mass(end) - 1) < 1e-12 && (end.density.min() ?? -1) >= 0)
    }
}

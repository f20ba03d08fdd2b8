import Diffusion
import Evaluation
import Testing

@Suite struct ConvergenceOrderTests {
    /// Euler's step is of first order on every schedule, whatever the network predicts.
    @Test func eulerIsOfFirstOrder() throws {
        let result = try ConvergenceOrder(of: [.ddim])
        #expect(result.rows.count == 12 && result.omitted.isEmpty)
        for row in result.rows {
            #expect(row.steps == [11, 23, 47, 95, 191])
            #expect(abs(try #require(row.order) - 1) < 0.05, "\(row)")
        }
        // Predictions differ by rounding alone.
        for schedule in ConvergenceOrder.Schedule.allCases {
            let errors = result.rows.filter { $0.schedule == schedule }.compactMap { $0.error(steps: 47) }
            #expect(errors.count == 4 && errors.max()! - errors.min()! < 1e-12)
        }
    }

    /// What the catalogue promises of a solver is what is measured.
    @Test func everySolverHasTheOrderOfTheCatalogue() throws {
        let result = try ConvergenceOrder(predictions: [.velocity], steps: [16, 32, 64, 128])
        for row in result.rows {
            let order = try #require(row.order)
            #expect(
                order > Double(row.theory) - 0.15,
                "\(row.solver.rawValue) on \(row.schedule.rawValue): \(order)")
        }
        let named = Set(result.rows.map(\.solver) + result.omitted.flatMap(\.solvers))
        #expect(named == Set(Method.allCases))
    }

    @Test func theTableNamesWhatIsLeftOut() throws {
        let result = try ConvergenceOrder(
            of: [.ddim, .ddpm, .rk45], on: [.flow], predictions: [.data], steps: [11, 47])
        let lines = result.text.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[1].hasPrefix("ddim    flow      data") && lines[1].contains("e-03"))
        #expect(lines[2].contains("ddpm") && lines[3].contains("rk45"))
    }
}

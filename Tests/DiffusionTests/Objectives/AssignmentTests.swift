import Checkpoints
import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct AssignmentTests {
    @Test func costsAreThoseOfSciPy() throws {
        let fixture = try Fixture("transport/assignment")
        let totals = try fixture.tensor("totals").array(of: Double.self)
        #expect(totals.count == 60)
        for (index, total) in totals.enumerated() {
            let table = try fixture.tensor("costs.\(index)")
            let (rows, columns) = (table.shape[0], table.shape[1])
            let found = Assignment(
                Assignment.Costs(try table.array(of: Double.self), rows: rows, columns: columns))
            #expect(abs(found.cost - total) <= 1e-12 * max(1, abs(total)), "case \(index)")
            #expect(Set(found.columns).count == rows)
        }
    }

    /// Against all permutations of small squares.
    @Test func costsAreLeastOfAllPermutations() throws {
        func permutations(_ items: [Int]) -> [[Int]] {
            guard items.count > 1 else { return [items] }
            return items.flatMap { first in
                permutations(items.filter { $0 != first }).map { [first] + $0 }
            }
        }
        let generator = RandomGenerator(seed: 6)
        let all = permutations(Array(0..<5))
        for _ in 0..<200 {
            let table = try (generator.normal([25], .float64) * 3).rounded().array(of: Double.self)
            let least = all.map { $0.enumerated().reduce(0) { $0 + table[5 * $1.offset + $1.element] } }.min()
            #expect(Assignment(Assignment.Costs(table, rows: 5, columns: 5)).cost == least)
        }
    }

    /// In one dimension the plan of least squared distance is the sorted one.
    @Test func pairsOnALineAreSorted() throws {
        let generator = RandomGenerator(seed: 9)
        let (data, noise) = (generator.normal([256, 1], .float64), generator.normal([256, 1], .float64))
        let paired = try Coupling.optimalTransport.paired(data, with: noise)
        let order = data.squeezed(1).sorted(0).indices
        expectClose(paired.gathered(order), noise.sorted(0).values, absolute: 0)
        #expect(try Coupling.independent.paired(data, with: noise).isIdentical(to: noise))
    }

    /// A batch of 512 pictures' worth of costs stays a matter of milliseconds, and beats chance.
    @Test func pairsOfABatchAreNear() throws {
        let generator = RandomGenerator(seed: 10)
        let (data, noise) = (generator.normal([512, 2], .float64), generator.normal([512, 2], .float64))
        let paired = try Coupling.optimalTransport.paired(data, with: noise)
        let (near, far) = ((data - paired).squared().sum([1]), (data - noise).squared().sum([1]))
        #expect(try near.mean().item() < 0.1 * far.mean().item())
        expectClose(paired.sorted(0).values, noise.sorted(0).values, absolute: 0)
    }
}

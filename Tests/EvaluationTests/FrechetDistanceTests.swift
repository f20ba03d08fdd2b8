import Evaluation
import Tensors
import TestSupport
import Testing

@Suite struct FrechetDistanceTests {
    @Test func distancesAgreeWithTheMatrixRoot() throws {
        for fixture in try Fixture.all(in: "frechet") {
            func statistics(_ index: Int) throws -> FeatureStatistics {
                FeatureStatistics(
                    mean: try fixture.tensor("mean\(index)"),
                    covariance: try fixture.tensor("covariance\(index)"))
            }
            let distance = try statistics(1).frechetDistance(to: statistics(2))
            let expected = try fixture.tensor("distance").item(Double.self)
            // Where a covariance is singular the reference's own root is good to 1e-6 only.
            let tolerance = fixture.name.contains("narrow") ? 1e-5 : 1e-9
            #expect(
                abs(distance - expected) < tolerance * max(1, expected),
                "\(fixture.name): \(distance) \(expected)")
        }
    }

    @Test func commutingGaussiansHaveAClosedForm() throws {
        let generator = RandomGenerator(seed: 4)
        for _ in 0..<20 {
            let (a, b) = (generator.uniform([6], .float64) + 0.1, generator.uniform([6], .float64) + 0.1)
            let (m, n) = (generator.normal([6], .float64), generator.normal([6], .float64))
            let first = FeatureStatistics(mean: m, covariance: a.squared().diagonalMatrix())
            let second = FeatureStatistics(mean: n, covariance: b.squared().diagonalMatrix())
            let exact = try ((m - n).squared().sum() + (a - b).squared().sum()).item(Double.self)
            #expect(abs(try first.frechetDistance(to: second) - exact) < 1e-9)
            #expect(abs(try second.frechetDistance(to: first) - exact) < 1e-9)
            #expect(abs(try first.frechetDistance(to: first)) < 1e-9)
        }
    }

    @Test func featuresGiveTheirMoments() throws {
        let fixture = try Fixture("frechet/frechet-0-general")
        let statistics = FeatureStatistics(features: try fixture.tensor("features1"))
        expectClose(statistics.mean, try fixture.tensor("mean1"), absolute: 1e-12)
        expectClose(statistics.covariance, try fixture.tensor("covariance1"), absolute: 1e-12)
    }
}

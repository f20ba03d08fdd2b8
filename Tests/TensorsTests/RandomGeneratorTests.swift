import Tensors
import Testing

@Suite struct RandomGeneratorTests {
    @Test func aSeedDecidesEverythingAndAStateContinues() throws {
        let a = RandomGenerator(seed: 7)
        let b = RandomGenerator(seed: 7)
        #expect(try a.normal([3, 5]).isIdentical(to: b.normal([3, 5])))
        let state = a.state
        let next = a.normal([20], .float64)
        try b.restore(state)
        #expect(try b.normal([20], .float64).isIdentical(to: next))
        #expect(
            try !RandomGenerator(seed: 8).normal([3, 5]).isIdentical(
                to: RandomGenerator(seed: 7).normal([3, 5])))
    }

    @Test func drawsHaveTheirMoments() throws {
        let generator = RandomGenerator(seed: 1)
        let normal = generator.normal([200_000], .float64)
        #expect(try abs(normal.mean().item()) < 0.01)
        #expect(try abs(normal.variance().item() - 1) < 0.02)
        let uniform = generator.uniform([200_000], .float64)
        #expect(try abs(uniform.mean().item() - 0.5) < 0.005)
        let coin = generator.coin([100_000], probability: 0.1).to(.float64)
        #expect(try abs(coin.mean().item() - 0.1) < 0.005)
        let whole = try generator.integers([10_000], in: 3..<7).array(of: Int.self)
        #expect(Set(whole) == [3, 4, 5, 6])
        #expect(try generator.permutation(100).array(of: Int.self).sorted() == Array(0..<100))
    }

    @Test func bytesThatAreNoStateAreRefused() throws {
        #expect(throws: TensorError.self) {
            try RandomGenerator(seed: 1).restore(Tensor([1, 2, 3] as [UInt8]))
        }
    }
}

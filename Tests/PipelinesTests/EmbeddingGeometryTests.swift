import Foundation
import Layers
import Networks
import Pipelines
import Tensors
import TestSupport
import Testing

/// Ways between embeddings in closed form, and the draws of an autoregressive prior.
@Suite struct EmbeddingGeometryTests {
    /// Two directions at a right angle: cos and sin of the share of it.
    @Test func `the way between two pictures is an arc`() throws {
        let (a, b) = (Tensor([3.0, 0, 0], shape: [1, 3]), Tensor([0.0, 5, 0], shape: [1, 3]))
        let shares = [0, 0.25, 0.5, 1]
        let found = EmbeddingGeometry.between(a, b, shares: shares)
        let expected = shares.flatMap { share in
            let (angle, length) = (share * Double.pi / 2, 3 + 2 * share)
            return [cos(angle) * length, sin(angle) * length, 0]
        }
        expectClose(found, Tensor(expected, shape: [4, 3]), absolute: 1e-12)
    }

    /// A turn keeps the length, and ends at the difference of directions.
    @Test func `a difference of texts turns an embedding`() throws {
        let generator = RandomGenerator(seed: 1)
        let picture = generator.normal([1, 6], .float64) * 4
        let (from, to) = (generator.normal([1, 6], .float64), generator.normal([1, 6], .float64) * 3)
        let direction = EmbeddingGeometry.difference(from: from, to: to)
        let plain = to / to.norm() - from / from.norm()
        expectClose(direction, plain / plain.norm(), absolute: 1e-12)
        let found = EmbeddingGeometry.turned(picture, to: direction, shares: [0, 0.3, 1])
        let length = try picture.norm().item(Double.self)
        expectClose(found.norm([1]), Tensor([length, length, length]), absolute: 1e-10)
        expectClose(found.slice(0..<1, of: 0), picture, absolute: 1e-10)
        expectClose(found.slice(2..<3, of: 0), direction * length, absolute: 1e-10)
        func angle(_ a: Tensor, _ b: Tensor) throws -> Double {
            acos(
                try (a * b).sum().item(Double.self) / a.norm().item(Double.self) / b.norm().item(Double.self))
        }
        let (whole, part) = try (angle(picture, direction), angle(picture, found.slice(1..<2, of: 0)))
        #expect(abs(part - 0.3 * whole) < 1e-10)
    }

    @Test func `embeddings have unit variance, and the closest candidate is kept`() throws {
        let e = RandomGenerator(seed: 2).normal([4, 9], .float64) * 7
        let squares = EmbeddingGeometry.scaled(e).squared().mean([1])
        expectClose(squares, Tensor([1.0, 1, 1, 1]), absolute: 1e-12)
        let texts = Tensor([1.0, 0, 0, 1], shape: [2, 2])
        let candidates = Tensor([0.0, 9, 1, 0.1, 0, 0.1, 5, 5], shape: [2, 2, 2])
        let kept = EmbeddingGeometry.best(of: candidates, for: texts)
        #expect(try kept.array(of: Double.self) == [1, 0.1, 0, 0.1])
    }

    /// A number in 0 … 1 picks the bucket in which the sum of probabilities passes it.
    @Test func `buckets are drawn from their probabilities`() throws {
        let logits = Tensor([0.5, 0.25, 0.125, 0.125].map { log($0) }, shape: [1, 4])
        let numbers = [0, 0.49, 0.51, 0.74, 0.76, 0.87, 0.88, 1]
        let found = try numbers.map { number in
            try AutoregressiveDraws.code(logits, Tensor([number])).item(Int.self)
        }
        #expect(found == [0, 0, 1, 1, 2, 2, 3, 3])
        let uniform = AutoregressiveDraws.uniform(RandomGenerator(seed: 3).normal([20_000], .float64))
        #expect(try abs(uniform.mean().item(Double.self) - 0.5) < 0.01)
        #expect(try abs(uniform.variance().item(Double.self) - 1.0 / 12) < 0.003)
    }

    /// Without guidance the unconditional branch has no part, and cosines come from the upper half.
    @Test func `embeddings are those of buckets`() throws {
        var configuration = AutoregressivePriorConfiguration()
        (configuration.embeddingDim, configuration.stateDim, configuration.numEmbeddings) = (4, 5, 3)
        (configuration.components, configuration.buckets, configuration.numLayers) = (3, 4, 1)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 4)))
        let network = try store.build { try AutoregressivePrior(configuration, $0) }
        let generator = RandomGenerator(seed: 5)
        try network.quantizer.fit(
            generator.normal([30, 4]), cosines: generator.normal([30]).tanh())
        func conditions() -> Conditions {
            var made = Conditions(
                context: generator.normal([6, 3, 5]), pooledText: generator.normal([6, 4]))
            made[.contextMask] = Tensor.ones([6, 3], .int64)
            return made
        }
        let (wanted, without, uniform) = (conditions(), conditions(), generator.uniform([6, 4]))
        func drawn(_ guidance: Double) -> Tensor {
            AutoregressiveDraws(network: network, guidance: guidance)
                .embeddings(wanted, unconditional: without, uniform: uniform)
        }
        let plain = drawn(1)
        #expect(plain.shape == [6, 4])
        let codes = network.quantizer.codes(of: plain)
        expectClose(network.quantizer.embeddings(of: codes), plain, absolute: 1e-5)
        #expect(try drawn(0).isIdentical(to: plain))
        #expect(try !drawn(6).isIdentical(to: plain))
    }
}

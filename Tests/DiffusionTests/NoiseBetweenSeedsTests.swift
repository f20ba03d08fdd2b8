import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Noise on the great circle between the noise of two seeds.
@Suite struct NoiseBetweenSeedsTests {
    private let shape: Shape = [3, 16, 16]
    private let weights = [0, 0.25, 0.5, 0.75, 1]

    private func source(_ weights: [Double]) -> NoiseSource {
        NoiseSource(from: 7, to: 1000, weights: weights, elementType: .float64)
    }

    /// Both the first draw, where a picture begins, and those of later steps.
    @Test func theEndsAreTheSeedsBitForBit() throws {
        let between = source(weights)
        let (first, last) = (
            NoiseSource(seed: 7, count: 1, elementType: .float64),
            NoiseSource(seed: 1000, count: 1, elementType: .float64)
        )
        for _ in 0..<3 {
            let pictures = between.draw(shape)
            #expect(try pictures.slice(0..<1, of: 0).isIdentical(to: first.draw(shape)))
            #expect(try pictures.slice(4..<5, of: 0).isIdentical(to: last.draw(shape)))
        }
    }

    /// At weight w the angle from the first is w times the whole, and lengths go from one to the other.
    @Test func anglesAreSharesOfTheWhole() throws {
        let pictures = source(weights).draw(shape).flattened(from: 1)
        let lengths = try pictures.norm([1]).array(of: Double.self)
        func angle(_ a: Int, _ b: Int) throws -> Double {
            acos(try (pictures[a] * pictures[b]).sum().item() / (lengths[a] * lengths[b]))
        }
        let whole = try angle(0, 4)
        let (a, b) = (lengths[0], lengths[4])
        for (index, weight) in weights.enumerated() {
            // |sin((1−w)θ)·a + sin(wθ)·b|²/sin²θ, the sides of a triangle with the angle θ.
            let (near, far) = (a * sin((1 - weight) * whole), b * sin(weight * whole))
            let square = near * near + far * far + 2 * near * far * cos(whole)
            #expect(abs(lengths[index] - square.squareRoot() / sin(whole)) < 1e-9)
            // Directions of equal length would turn evenly; these differ by a few percent in length.
            #expect(abs(try angle(0, index) - weight * whole) < 0.05)
        }
    }

    @Test func aPictureDoesNotDependOnItsCompanions() throws {
        let all = source(weights).draw(shape)
        for (index, weight) in weights.enumerated() {
            #expect(try source([weight]).draw(shape).isIdentical(to: all.slice(index..<(index + 1), of: 0)))
        }
    }

    /// Two examples of unit length, each of which turns by its own angle and keeps its length.
    @Test func unitVectorsKeepTheirLengthAndTurnEvenly() throws {
        let a = Tensor([1.0, 0, 0, 1], shape: [2, 2])
        let b = Tensor([0.0, 1, sin(0.3), cos(0.3)], shape: [2, 2])
        for weight in [0.1, 0.5, 0.9] {
            let expected = Tensor(
                [cos(weight * .pi / 2), sin(weight * .pi / 2), sin(weight * 0.3), cos(weight * 0.3)],
                shape: [2, 2])
            expectClose(sphericallyInterpolated(a, b, weight: weight), expected, absolute: 1e-14)
        }
    }
}

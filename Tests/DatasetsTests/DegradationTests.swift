import Datasets
import Foundation
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// What makes small pictures with faults: kernels in closed form, noise by its moments, streams of draws.
@Suite struct DegradationTests {
    private func value(_ kernel: BlurKernel, _ x: Int, _ y: Int) -> Double {
        kernel.weights[(y + kernel.side / 2) * kernel.side + x + kernel.side / 2]
    }

    // MARK: Kernels

    /// Recomputed by NumPy and SciPy from the formulas.
    @Test func kernelsAreThoseOfTheFormulas() throws {
        let fixture = try Fixture("degradation/kernels")
        let profiles: [String: BlurKernel.Profile] = [
            "gaussian": .gaussian, "generalized": .generalized, "plateau": .plateau,
        ]
        let cases = try fixture.case.required("cases", as: [JSONObject].self)
        #expect(cases.count > 8)
        for (index, asked) in cases.enumerated() {
            let side: Int = try asked.required("side")
            let kind: String = try asked.required("kind")
            let found =
                try profiles[kind].map { profile in
                    try BlurKernel.turned(
                        profile, side: side,
                        deviations: (asked.required("x"), asked.required("y")),
                        angle: asked.required("angle"), power: asked.required("power"))
                } ?? BlurKernel.lowPass(side: side, cutoff: asked.required("cutoff"))
            let expected = try fixture.tensor("kernel-\(index)").array(of: Double.self)
            for (one, other) in zip(found.weights, expected) { #expect(abs(one - other) < 1e-12, "\(kind)") }
        }
    }

    /// A Gaussian is the product of its rows and columns; turned by a quarter, the axes change places.
    @Test func aGaussianIsSeparableAndTurns() {
        let kernel = BlurKernel.turned(.gaussian, side: 9, deviations: (1.3, 2.2))
        let turned = BlurKernel.turned(.gaussian, side: 9, deviations: (1.3, 2.2), angle: .pi / 2)
        #expect(abs(kernel.weights.reduce(0, +) - 1) < 1e-14)
        for x in -4...4 {
            for y in -4...4 {
                let product = value(kernel, x, 0) * value(kernel, 0, y) / value(kernel, 0, 0)
                #expect(abs(value(kernel, x, y) - product) < 1e-15)
                #expect(abs(value(kernel, x, y) - value(turned, y, x)) < 1e-15)
            }
        }
        let ratio = value(kernel, 2, 0) / value(kernel, 0, 0)
        #expect(abs(ratio - exp(-2 / (1.3 * 1.3))) < 1e-14)
    }

    @Test func powersAreTheirProfiles() {
        let (deviations, side) = ((x: 1.5, y: 1.5), 7)
        let plain = BlurKernel.turned(.gaussian, side: side, deviations: deviations)
        #expect(BlurKernel.turned(.generalized, side: side, deviations: deviations, power: 1) == plain)
        let flat = BlurKernel.turned(.generalized, side: side, deviations: deviations, power: 2)
        #expect(abs(value(flat, 3, 0) / value(flat, 0, 0) - exp(-pow(4, 2) / 2)) < 1e-14)
        let plateau = BlurKernel.turned(.plateau, side: side, deviations: deviations, power: 2)
        #expect(abs(value(plateau, 3, 0) / value(plateau, 0, 0) - 1 / 17) < 1e-14)
    }

    /// What the filter does to a wave: it passes below the cutoff, and is stopped above.
    @Test func aSincStopsHighFrequencies() {
        let kernel = BlurKernel.lowPass(side: 21, cutoff: .pi / 2)
        func response(_ frequency: Double) -> Double {
            (-10...10).map { x in
                (-10...10).map { value(kernel, x, $0) }.reduce(0, +) * cos(frequency * Double(x))
            }.reduce(0, +)
        }
        #expect(abs(response(0) - 1) < 1e-12)
        for low in [0.2, 0.6, 1] { #expect(abs(response(low) - 1) < 0.2, "\(low)") }
        for high in [2.2, 2.6, 3] { #expect(abs(response(high)) < 0.1, "\(high)") }
    }

    /// Each channel alone, mirrored at the borders: a picture of one colour stays as it is, a point becomes the kernel.
    @Test func picturesAreFiltered() throws {
        let kernel = BlurKernel.turned(.gaussian, side: 7, deviations: (0.8, 2), angle: 0.6)
        let flat = Tensor([Float(0.2), 0.5, 0.9], shape: [1, 3, 1, 1]).expanded(to: [2, 3, 8, 9])
        expectClose(kernel(flat), flat, absolute: 1e-6)
        var point = [Float](repeating: 0, count: 225)
        point[7 * 15 + 7] = 1
        let spread = try kernel(Tensor(point, shape: [1, 1, 15, 15])).array(of: Float.self)
        for x in -3...3 {
            for y in -3...3 {
                #expect(abs(Double(spread[(7 + y) * 15 + 7 + x]) - value(kernel, x, y)) < 1e-7)
            }
        }
    }

    // MARK: Pictures

    /// Smooth pictures with a gradient in each channel, in −1 … 1.
    private func pictures(_ count: Int, side: Int, channels: Int = 3) -> Tensor {
        let values = (0..<count * channels * side * side).map { index -> Float in
            let (x, y) = (index % side, index / side % side)
            return Float(sin(Double(x) / 5 + Double(index / (side * side))) * cos(Double(y) / 7)) * 0.8
        }
        return Tensor(values, shape: [count, channels, side, side])
    }

    /// A picture depends on its seed and itself alone, not on those beside it or on what was drawn before.
    @Test(arguments: [1, 3]) func aSeedDecides(channels: Int) throws {
        let all = pictures(3, side: 32, channels: channels)
        let found = try Degradation.realESRGAN(all, by: 4, seeds: [5, 6, 7])
        #expect(found.shape == [3, channels, 8, 8])
        let alone = try Degradation.realESRGAN(all.slice(1..<2, of: 0), by: 4, seeds: [6])
        #expect(try alone.isIdentical(to: found.slice(1..<2, of: 0)))
        #expect(try !Degradation.realESRGAN(all, by: 4, seeds: [8, 9, 10]).isIdentical(to: found))
        let values = try found.array(of: Float.self)
        #expect(
            values.allSatisfy { -1...1 ~= $0 && abs(($0 + 1) * 127.5 - (($0 + 1) * 127.5).rounded()) < 1e-3 })
    }

    /// Whatever is drawn, what comes out is a picture, of tiny ones too; on the whole it is as bright as before.
    @Test(arguments: [Degradation.realESRGAN, .firstOrder]) func everyDrawIsAPicture(degradation: Degradation)
        throws
    {
        let small = pictures(60, side: 8, channels: 1)
        let few = try degradation(small, by: 2, seeds: (0..<60).map { $0 })
        #expect(few.shape == [60, 1, 4, 4])
        #expect(try few.isFinite().all().item(Bool.self))
        let large = pictures(40, side: 48)
        let found = try degradation(large, by: 2, seeds: (100..<140).map { $0 })
        #expect(try abs((found.mean() - large.mean()).item(Double.self)) < 0.03)
        let (clean, faults) = (large.averagePooled(2), found)
        let errors = try (faults - clean).squared().meanPerExample().array(of: Float.self)
        // No two pictures have the same faults, and each has some.
        #expect(Set(errors).count == 40 && errors.allSatisfy { $0 > 1e-5 })
    }

    /// Where all is switched off but Gaussian noise, its deviation and its sameness in channels are those that were asked for.
    @Test(arguments: [0.0, 1]) func gaussianNoiseHasItsDeviation(grey: Double) throws {
        let quiet = quietPass { ($0.gaussianProbability, $0.noise, $0.greyProbability) = (1, 20...20, grey) }
        let flat = Tensor.zeros([1, 3, 64, 64])
        let found = try quiet(flat, by: 1, seeds: [3]) * 127.5
        let deviation: Double = try found.variance().item()
        // JPEG of quality 100 and 8 bits add half a level, and colours at half resolution take noise away.
        let (red, green) = (found.slice(0..<1, of: 1), found.slice(1..<2, of: 1))
        let apart: Double = try (red - green).variance().item()
        if grey == 1 {
            #expect(abs(deviation.squareRoot() - 20) < 1)
            #expect(apart < 4)
        } else {
            #expect(deviation.squareRoot() > 10 && apart > 50)
        }
    }

    /// Counting light: with n levels the variance at a level p is p/2^⌈log₂ n⌉, times the square of the scale.
    @Test func poissonNoiseHasItsVariance() throws {
        let quiet = quietPass {
            ($0.gaussianProbability, $0.poissonScales, $0.greyProbability) = (0, 0.5...0.5, 1)
        }
        // Four levels, a quarter of the picture each.
        let levels: [Float] = [0.2, 0.4, 0.6, 0.8].map { ($0 * 255).rounded() / 255 * 2 - 1 }
        let values = (0..<128 * 128).map { place -> Float in
            let (column, row) = (place % 128 / 64, place / 128 / 64)
            return levels[column + 2 * row]
        }
        let found = try quiet(Tensor(values, shape: [1, 1, 128, 128]), by: 1, seeds: [4])
        let part = ((found.slice(0..<64, of: 2).slice(0..<64, of: 3) + 1) / 2)
        let (mean, variance): (Double, Double) = (try part.mean().item(), try part.variance().item())
        let expected = 0.2 / 4 * 0.25
        #expect(abs(mean - 0.2) < 0.01, "\(mean)")
        // The part below 0 is cut off, which takes some of it away.
        #expect(variance > expected * 0.6 && variance < expected * 1.1, "\(variance) \(expected)")
    }

    /// A pass that changes next to nothing, but for what is set.
    private func quietPass(_ change: (inout Degradation.Pass) -> Void) -> Degradation {
        var quiet = Degradation.firstOrder
        (quiet.passes[0].blur.probability, quiet.passes[0].resizeShares) = (0, [0, 0, 1])
        quiet.passes[0].quality = 100...100
        change(&quiet.passes[0])
        return quiet
    }

    /// A JPEG of lower quality differs more; a grey one has no colours to halve.
    @Test func qualityIsThatOfTheFile() throws {
        let picture = try Picture(pictures(1, side: 32)[0])
        let errors = try [95, 60, 30].map { quality -> Double in
            let again = try picture.throughJPEG(quality: quality)
            #expect((again.width, again.height, again.channels) == (32, 32, 3))
            return try (again.tensor() - picture.tensor()).squared().mean().item()
        }
        #expect(errors[0] < errors[1] && errors[1] < errors[2] && errors[2] < 0.02)
        #expect(try Picture(pictures(1, side: 32, channels: 1)[0]).throughJPEG(quality: 90).channels == 1)
    }
}

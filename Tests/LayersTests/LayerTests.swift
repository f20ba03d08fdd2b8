import Foundation
import Layers
import Tensors
import TestSupport
import Testing

/// Builds a layer from given parameters.
private func build<Layer>(_ parameters: [String: Tensor], _ body: (Weights) throws -> Layer) throws -> Layer {
    try ParameterStore(.loaded(TensorDictionary(parameters)), elementType: .float64).build(body)
}

private func draws(_ seed: UInt64, _ shape: Shape) -> Tensor {
    RandomGenerator(seed: seed).normal(shape, .float64)
}

/// Each layer against its closed form, written out in numbers of Swift.
@Suite struct LayerTests {
    @Test func `a linear layer is x · Wᵀ + b`() throws {
        let (x, w, b) = (draws(1, [3, 4]), draws(2, [2, 4]), draws(3, [2]))
        let layer = try build(["weight": w, "bias": b]) { Linear(inputs: 4, outputs: 2, $0) }
        let (xs, ws, bs) = (
            try x.array(of: Double.self), try w.array(of: Double.self), try b.array(of: Double.self)
        )
        var expected: [Double] = []
        for row in 0..<3 {
            for out in 0..<2 {
                expected.append((0..<4).reduce(bs[out]) { $0 + xs[row * 4 + $1] * ws[out * 4 + $1] })
            }
        }
        expectClose(try layer(x).array(), expected, absolute: 1e-12)
    }

    @Test func `a linear layer begins with the given values`() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        _ = try store.build { Linear(inputs: 4, outputs: 2, initializer: .zeros, $0) }
        #expect(try store.parameters.allSatisfy { try $0.magnitude().max().item() == 0 })
    }

    @Test func `an embedding gives the rows that are asked for`() throws {
        let table = draws(4, [5, 3])
        let layer = try build(["weight": table]) { Embedding(count: 5, width: 3, $0) }
        expectClose(
            layer(Tensor([4, 0, 4] as [Int])), stacked([table[4], table[0], table[4]]), absolute: 0)
    }

    @Test(arguments: [(1, 0, 1), (2, 1, 1), (1, 1, 2)])
    func `a convolution sums products over its window`(_ stride: Int, _ padding: Int, _ groups: Int) throws {
        let (channels, outputs, size, kernel) = (2, 4, 5, 3)
        let x = draws(5, [1, channels, size, size])
        let w = draws(6, [outputs, channels / groups, kernel, kernel])
        let b = draws(7, [outputs])
        let layer = try build(["weight": w, "bias": b]) {
            Convolution2D(
                inputs: channels, outputs: outputs, kernel: kernel, stride: stride, padding: padding,
                groups: groups, $0)
        }
        let (xs, ws, bs) = (
            try x.array(of: Double.self), try w.array(of: Double.self), try b.array(of: Double.self)
        )
        let side = (size + 2 * padding - kernel) / stride + 1
        var expected: [Double] = []
        for out in 0..<outputs {
            let first = out / (outputs / groups) * (channels / groups)
            for row in 0..<side {
                for column in 0..<side {
                    var sum = bs[out]
                    for channel in 0..<channels / groups {
                        for i in 0..<kernel {
                            for j in 0..<kernel {
                                let (y, z) = (row * stride + i - padding, column * stride + j - padding)
                                guard (0..<size).contains(y), (0..<size).contains(z) else { continue }
                                let input = xs[((first + channel) * size + y) * size + z]
                                let row = (out * (channels / groups) + channel) * kernel + i
                                sum += input * ws[row * kernel + j]
                            }
                        }
                    }
                    expected.append(sum)
                }
            }
        }
        let found = layer(x)
        #expect(found.shape == [1, outputs, side, side])
        expectClose(try found.array(), expected, absolute: 1e-12)
    }

    /// ⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩ defines the transpose.
    @Test func `a transposed convolution is the transpose of the convolution`() throws {
        let w = draws(8, [3, 2, 4, 4])
        let direct = try build(["weight": w]) {
            Convolution2D(inputs: 2, outputs: 3, kernel: 4, stride: 2, padding: 1, bias: false, $0)
        }
        let transpose = try build(["weight": w]) {
            TransposedConvolution2D(inputs: 3, outputs: 2, kernel: 4, stride: 2, padding: 1, bias: false, $0)
        }
        let (x, y) = (draws(9, [1, 2, 6, 6]), draws(10, [1, 3, 3, 3]))
        let left: Double = try (direct(x) * y).sum().item()
        let right: Double = try (x * transpose(y)).sum().item()
        #expect(abs(left - right) < 1e-11)
        #expect(abs(left) > 1e-3)
    }

    @Test func `a group norm gives each group mean 0 and variance 1, then scales and shifts`() throws {
        let x = draws(11, [2, 6, 3, 3]) * 5 + 2
        let (w, b) = (draws(12, [6]), draws(13, [6]))
        let layer = try build(["weight": w, "bias": b]) {
            GroupNorm(groups: 3, channels: 6, epsilon: 1e-4, $0)
        }
        let grouped = x.reshaped([2, 3, 18])
        let mean = grouped.mean([2], keepingDimensions: true)
        let variance = (grouped - mean).squared().mean([2], keepingDimensions: true)
        let normal = ((grouped - mean) / (variance + 1e-4).squareRoot()).reshaped([2, 6, 3, 3])
        let expected = normal * w.reshaped([1, 6, 1, 1]) + b.reshaped([1, 6, 1, 1])
        expectClose(layer(x), expected, absolute: 1e-12)
    }

    @Test(arguments: [true, false])
    func `a layer norm gives each vector mean 0 and variance 1`(_ affine: Bool) throws {
        let x = draws(14, [4, 5]) * 3 - 1
        let (w, b) = (draws(15, [5]), draws(16, [5]))
        let layer = try build(affine ? ["weight": w, "bias": b] : [:]) {
            LayerNorm(width: 5, epsilon: 1e-3, affine: affine, $0)
        }
        let centred = x - x.mean([1], keepingDimensions: true)
        let normal = centred / (centred.squared().mean([1], keepingDimensions: true) + 1e-3).squareRoot()
        expectClose(layer(x), affine ? normal * w + b : normal, absolute: 1e-12)
    }

    @Test func `a root mean square norm gives squares the mean 1, then scales, in float32 at least`() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 21)), elementType: .float64)
        let layer = try store.build { RMSNorm(width: 6, epsilon: 0, $0) }
        let x = draws(22, [4, 6]).to(.float64) * 3 + 1
        expectClose(layer(x).squared().mean([1]), .ones([4], .float64), absolute: 1e-12)
        let scaled = try ParameterStore(.loaded(TensorDictionary(["weight": Tensor([2.0, -1])]))).build {
            RMSNorm(width: 2, epsilon: 1, $0)
        }
        expectClose(
            scaled(Tensor([1.0, 7]).to(.float32)), Tensor([2, -7] as [Float]) / 26.0.squareRoot(),
            relative: 1e-6)
        // The squares of these do not fit into float16.
        let half = try ParameterStore(
            .loaded(TensorDictionary(["weight": .ones([2])])), elementType: .float16
        )
        .build { RMSNorm(width: 2, $0) }
        let result = half(Tensor([30_000.0, -30_000]).to(.float16))
        #expect(result.elementType == .float16)
        expectClose(result, Tensor([1.0, -1]).to(.float16), absolute: 0)
    }

    @Test func `attention weighs values by the softmax of the products`() throws {
        let (width, heads, size, tokens) = (6, 2, 3, 4)
        var parameters: [String: Tensor] = [:]
        for (index, name) in ["to_q", "to_k", "to_v", "to_out.0"].enumerated() {
            parameters["\(name).weight"] = draws(UInt64(20 + index), [width, width])
            parameters["\(name).bias"] = draws(UInt64(30 + index), [width])
        }
        let layer = try build(parameters) { SelfAttention(width: width, heads: heads, headSize: size, $0) }
        let x = draws(40, [1, tokens, width])
        func part(_ name: String, _ head: Int) throws -> Tensor {
            let all =
                try x[0].matmul(#require(parameters["\(name).weight"]).transposed())
                + #require(parameters["\(name).bias"])
            return all.slice(head * size..<(head + 1) * size, of: 1)
        }
        let mixed = try (0..<heads).map { head in
            let scores =
                try part("to_q", head).matmul(part("to_k", head).transposed()) / Double(size).squareRoot()
            return try (scores.exp() / scores.exp().sum([1], keepingDimensions: true)).matmul(
                part("to_v", head))
        }
        let expected =
            try concatenated(mixed, along: 1).matmul(#require(parameters["to_out.0.weight"]).transposed())
            + #require(parameters["to_out.0.bias"])
        expectClose(layer(x)[0], expected, absolute: 1e-12)
    }

    @Test func `activations are their formulas`() throws {
        let values = [-3.0, -1, -0.1, 0, 0.1, 1, 3]
        func formula(_ activation: Activation, _ x: Double) -> Double {
            switch activation {
            case .silu, .swish: return x / (1 + exp(-x))
            case .mish: return x * tanh(log1p(exp(x)))
            case .gelu: return x * 0.5 * (1 + erf(x / 2.0.squareRoot()))
            case .quickGELU: return x / (1 + exp(-1.702 * x))
            case .newGELU:
                return x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
            case .relu: return max(x, 0)
            }
        }
        for activation in Activation.allCases {
            let expected = values.map { formula(activation, $0) }
            expectClose(try activation(Tensor(values)).array(), expected, absolute: 1e-12, "\(activation)")
        }
    }

    @Test(arguments: [0.1, 0.5, 0.9])
    func `dropout zeroes a share and keeps the mean`(_ probability: Double) throws {
        let count = 200_000
        let dropped = Dropout(probability)(.ones([count]), RandomGenerator(seed: 17))
        let kept: Double = try (dropped.sum() * (1 - probability)).item() / Double(count)
        // Five standard deviations of a share of so many draws.
        let tolerance = 5 * (probability * (1 - probability) / Double(count)).squareRoot()
        #expect(abs(kept - (1 - probability)) < tolerance)
        let values = Set(try dropped.array(of: Float.self)).sorted()
        expectClose(values.map(Double.init), [0, 1 / (1 - probability)], relative: 1e-6)
    }

    @Test func `dropout does nothing without a generator or a probability`() throws {
        let x = draws(18, [50])
        expectClose(Dropout(0.7)(x, nil), x, absolute: 0)
        expectClose(Dropout(0)(x, RandomGenerator(seed: 1)), x, absolute: 0)
    }

    @Test(arguments: [(8, 0.0, false), (8, 1.0, true), (7, 0.0, true)])
    func `the embedding of time is sines and cosines`(_ width: Int, _ shift: Double, _ cosinesFirst: Bool)
        throws
    {
        let times = [0.0, 3, 250]
        let half = width / 2
        let expected = times.flatMap { time -> [Double] in
            let angles = (0..<half).map { time * pow(10_000, -Double($0) / (Double(half) - shift)) }
            let (sines, cosines) = (angles.map { sin($0) }, angles.map { cos($0) })
            return (cosinesFirst ? cosines + sines : sines + cosines) + (width % 2 == 1 ? [0] : [])
        }
        let found = sinusoidalEmbedding(Tensor(times), width: width, shift: shift, cosinesFirst: cosinesFirst)
        #expect(found.elementType == .float32)
        expectClose(try found.array(), expected, absolute: 5e-5)
    }
}

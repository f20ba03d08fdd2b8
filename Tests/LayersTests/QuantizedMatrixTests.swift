import Layers
import Tensors
import TestSupport
import Testing

@Suite struct QuantizedMatrixTests {
    private func draws(_ seed: UInt64, _ shape: Shape) -> Tensor { RandomGenerator(seed: seed).normal(shape) }

    @Test(arguments: [ElementType.float16, .bfloat16, .float32, .float64])
    func `no value is off by more than half a scale`(_ type: ElementType) throws {
        // Rows of very different sizes, one of zeros, and one of a single number.
        let sizes = Tensor([1e-7, 3e-3, 1, 50, 0, 1], shape: [6, 1]).to(.float32)
        var matrix = draws(1, [6, 333]) * sizes
        matrix = concatenated([matrix.slice(0..<5, of: 0), .full(0.3, [1, 333])], along: 0)
        let quantized = QuantizedMatrix(matrix, for: type)
        #expect(quantized.values.elementType == .int8)
        let scales = quantized.scales.to(.float64).unsqueezed(1)
        let restored = quantized.values.to(.float64) * scales
        let off: Double = try ((restored - matrix.to(.float64)).magnitude() / scales).max().item()
        #expect(off <= 0.5 + 1e-5)
        #expect(off > 0.45, "a finer grid than 8 bits have")
        expectClose(restored[4], .zeros([333], .float64), absolute: 0)
        expectClose(quantized.dequantized.to(.float64), restored, relative: 4e-3)
        #expect(try quantized.values.magnitude().max().item(Int.self) == 127)
    }

    /// |x·(W − W′)ᵀ| ≤ Σ|x| · scale / 2, whichever product is taken; 2⁻⁸ is what bfloat16 rounds.
    @Test(arguments: [ElementType.float32, .float64, .bfloat16, .float16], [1, 3, 40])
    func `products keep to the bound, with few rows and with many`(_ type: ElementType, _ rows: Int) throws {
        let source = TensorDictionary(["weight": draws(2, [37, 64]) * 0.1, "bias": draws(3, [37])])
        func layer(_ format: MatrixFormat, _ type: ElementType) throws -> Linear {
            try ParameterStore(.loaded(source), elementType: type, matrices: format).build {
                Linear(inputs: 64, outputs: 37, $0)
            }
        }
        let x = draws(4, [2, rows, 64]).to(type)
        let exact = try layer(.full, .float64)(x.to(.float64))
        let found = try layer(.int8, type)(x)
        #expect(found.elementType == type && found.shape == [2, rows, 37])
        let scales = try (#require(source.tensors["weight"]).magnitude().max([1]) / 127).to(.float64)
        let rounding = [ElementType.bfloat16: 0.01, .float16: 0.002][type] ?? 1e-5
        let bound =
            x.to(.float64).magnitude().sum([2], keepingDimensions: true) * scales * 0.5
            + (exact.magnitude() + 3) * rounding
        let share: Double = try ((found.to(.float64) - exact).magnitude() / bound).max().item()
        #expect(share <= 1)
        #expect(share > 0.01, "nothing was rounded")
    }

    @Test func `a store halves matrices against bfloat16, counts the same, and gives them back in full`()
        throws
    {
        func store(_ format: MatrixFormat) throws -> ParameterStore {
            let store = ParameterStore(
                .initialized(RandomGenerator(seed: 5)), elementType: .bfloat16, matrices: format)
            _ = try store.build { Linear(inputs: 256, outputs: 128, bias: false, $0["layer"]) }
            return store
        }
        let (full, small) = (try store(.full), try store(.int8))
        #expect(full.byteCount == 2 * 256 * 128)
        #expect(small.byteCount == 256 * 128 + 2 * 128)
        #expect(small.parameterCount == full.parameterCount && small.names == full.names)
        let (a, b) = (try #require(full["layer.weight"]), try #require(small["layer.weight"]))
        #expect(b.elementType == .bfloat16)
        expectClose(b, a, absolute: 1 / 16.0 / 127)
        // Saved and loaded again, it is the same network: 8 bits of what came out of 8 bits change little.
        let again = ParameterStore(.loaded(small.source), elementType: .bfloat16)
        _ = try again.build { Linear(inputs: 256, outputs: 128, bias: false, $0["layer"]) }
        #expect(try #require(again["layer.weight"]).isIdentical(to: b))
    }

    @Test func `a large matrix is that of its rows`() throws {
        let matrix = draws(9, [1100, 24])
        let whole = QuantizedMatrix(matrix, for: .bfloat16)
        for rows in [0..<512, 512..<1024, 1024..<1100, 300..<800] {
            let part = QuantizedMatrix(matrix.slice(rows, of: 0), for: .bfloat16)
            #expect(try (whole.values.slice(rows, of: 0) .== part.values).all().item(Bool.self))
            expectClose(whole.scales.slice(rows, of: 0).to(.float32), part.scales.to(.float32))
        }
    }

    @Test func `shapes alone are counted, and what is missing is named`() throws {
        let shapes = ParameterStore(.shapesOnly, elementType: .bfloat16, matrices: .int8)
        _ = try shapes.build { Linear(inputs: 40_000, outputs: 30_000, $0) }
        #expect(shapes.parameterCount == 40_000 * 30_000 + 30_000)
        #expect(shapes.byteCount == 40_000 * 30_000 + 2 * 30_000 + 2 * 30_000)
        #expect {
            try ParameterStore(.loaded(TensorDictionary([:])), matrices: .int8).build {
                Linear(inputs: 3, outputs: 2, bias: false, $0["a"])
            }
        } throws: { ($0 as? LoadError)?.report?.missing == ["a.weight"] }
    }

    @Test func `a scope can avoid float16, and only that`() throws {
        for (type, expected) in [(ElementType.float16, ElementType.float32), (.bfloat16, .bfloat16)] {
            let store = ParameterStore(.initialized(RandomGenerator(seed: 6)), elementType: type)
            try store.build { weights in
                _ = weights["a"].avoidingFloat16["b"].parameter("c", [1], .ones)
                _ = weights["a"].parameter("d", [1], .ones)
                #expect(weights["a"].avoidingFloat16.elementType == expected)
            }
            #expect(store["a.b.c"]?.elementType == expected)
            #expect(store["a.d"]?.elementType == type)
        }
    }
}

import Layers
import Tensors
import TestSupport
import Testing

/// The kernels of `Sources/CTorch/kernels` through the layers that use them, against the same layers in float64, which no
/// kernel serves. Where this processor has no kernels, both are libtorch's own.
@Suite struct KernelTests {
    static let types: [ElementType] = [.float32, .bfloat16]

    /// What the results of a type may be off by, of the largest.
    static func tolerance(_ type: ElementType) -> Double { type == .float32 ? 5e-6 : 2.5e-2 }

    /// A layer in a type with prepared weights, and the same in float64.
    private func pair<Layer>(
        _ type: ElementType, _ matrices: MatrixFormat = .full, seed: UInt64, _ make: (Weights) -> Layer
    ) throws -> (prepared: Layer, exact: Layer) {
        let drawn = ParameterStore(.initialized(RandomGenerator(seed: seed)), prepares: false)
        _ = try drawn.build(make)
        // What both begin with is what the type can hold.
        let rounded = drawn.source.tensors.mapValues { $0.to(type) }
        func layer(_ type: ElementType, _ matrices: MatrixFormat) throws -> Layer {
            try ParameterStore(.loaded(TensorDictionary(rounded)), elementType: type, matrices: matrices)
                .build(make)
        }
        return (try layer(type, matrices), try layer(.float64, .full))
    }

    private func numbers(_ draw: RandomGenerator, _ shape: Shape, _ type: ElementType) -> Tensor {
        draw.normal(shape).to(type)
    }

    /// - Parameter factor: how much more than usual may be lost; Winograd's sums are rounded more coarsely.
    private func check(
        _ actual: Tensor, _ expected: Tensor, _ type: ElementType, times factor: Double = 1, _ comment: String
    ) {
        #expect(actual.elementType == type)
        expectClose(
            actual.to(.float64), expected, ofLargest: factor * Self.tolerance(type), comment)
    }

    private func whole(_ draw: RandomGenerator, _ range: Range<Int>) throws -> Int {
        try draw.integers([1], in: range).item(Int.self)
    }

    // MARK: Layers

    @Test(arguments: types, 0..<12)
    func convolutionsWithAllThatIsFusedAreTheFormula(type: ElementType, seed: Int) throws {
        // Narrow pictures and wide ones are computed in two ways.
        try checkConvolution(
            type, seed, groups: 1..<5, channelsOfGroup: 1..<80, outputs: 1..<140, height: 1..<24,
            width: 1..<150)
    }

    /// In float32 so many weights are not kept in Winograd's form; those of some layers fill the memory for transformed
    /// ones more than once.
    @Test(arguments: 0..<4) func wideConvolutionsAreTheFormula(seed: Int) throws {
        try checkConvolution(
            .float32, seed, groups: 1..<3, channelsOfGroup: 300..<420, outputs: 500..<900, height: 4..<12,
            width: 6..<16)
    }

    private func checkConvolution(
        _ type: ElementType, _ seed: Int, groups: Range<Int>, channelsOfGroup: Range<Int>,
        outputs: Range<Int>, height: Range<Int>, width: Range<Int>
    ) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let groups = try whole(draw, groups)
        let inputs = groups * (try whole(draw, channelsOfGroup))
        let (outputs, batch) = (try whole(draw, outputs), try whole(draw, 1..<4))
        let (height, width) = (try whole(draw, height), try whole(draw, width))
        struct Part {
            let norm: GroupNorm
            let convolution: Convolution2D
        }
        let (prepared, exact) = try pair(type, seed: UInt64(seed)) {
            Part(
                norm: GroupNorm(groups: groups, channels: inputs, $0["norm"]),
                convolution: Convolution2D(
                    inputs: inputs, outputs: outputs, kernel: 3, padding: 1, $0["convolution"]))
        }
        let x = numbers(draw, [batch, inputs, height, width], type) * 3 + 2
        let vector = numbers(draw, [seed % 2 == 0 ? batch : 1, outputs], type)
        let residual = numbers(draw, [batch, outputs, height, width], type)
        let (scale, shift) = (
            numbers(draw, [batch, inputs], type), numbers(draw, [1, inputs], type)
        )
        func result(_ part: Part, _ t: ElementType) -> (plain: Tensor, fused: Tensor) {
            (
                part.convolution(x.to(t), vector: vector.to(t)),
                part.convolution(
                    part.norm.deferred(x.to(t), modulatedBy: (scale: scale.to(t), shift: shift.to(t))).then(
                        .silu),
                    vector: vector.to(t), adding: residual.to(t))
            )
        }
        let (actual, expected) = inference { (result(prepared, type), result(exact, .float64)) }
        let place = "\([batch, inputs, height, width]) to \(outputs)"
        check(actual.plain, expected.plain, type, times: type == .float32 ? 5 : 1, place)
        check(actual.fused, expected.fused, type, times: type == .float32 ? 5 : 1, place)
    }

    @Test(arguments: types, 0..<12)
    func linearLayersWithAllThatFollowsAreTheFormula(type: ElementType, seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let (inputs, outputs) = (try whole(draw, 1..<2400), 2 * (try whole(draw, 1..<200)))
        let (batch, tokens) = (try whole(draw, 1..<4), try whole(draw, 1..<300))
        let (prepared, exact) = try pair(type, seed: UInt64(seed)) {
            Linear(inputs: inputs, outputs: outputs, bias: seed % 3 > 0, $0)
        }
        let x = numbers(draw, [batch, tokens, inputs], type) * 2
        for after in [AfterProduct.nothing, .silu, .gelu, .approximateGELU, .geglu] {
            let width = after == .geglu ? outputs / 2 : outputs
            let residual = numbers(draw, [batch, tokens, width], type)
            let gate = numbers(draw, [batch, 1, width], type)
            func result(_ layer: Linear, _ t: ElementType) -> Tensor {
                layer(x.to(t), then: after, adding: residual.to(t), gatedBy: gate.to(t))
            }
            let (actual, expected) = inference { (result(prepared, type), result(exact, .float64)) }
            check(actual, expected, type, "\([batch, tokens, inputs]) to \(outputs), \(after)")
        }
    }

    /// As sums of two bfloat16 numbers, numbers have 16 bits; those with an odd number of inputs keep all 24.
    @Test(arguments: 0..<12) func matricesOfSplitNumbersAreTheFormula(seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let (inputs, outputs) = (try whole(draw, 1..<2400), 2 * (try whole(draw, 1..<200)))
        func make(_ weights: Weights) -> (Linear, Convolution2D) {
            (
                Linear(inputs: inputs, outputs: outputs, weights["linear"]),
                Convolution2D(inputs: inputs, outputs: outputs, kernel: 1, weights["convolution"])
            )
        }
        let (prepared, exact) = try pair(.float32, .bfloat16x3, seed: UInt64(seed), make)
        let (whole, _) = try pair(.float32, seed: UInt64(seed), make)
        let tokens = draw.normal([2, try self.whole(draw, 1..<150), inputs])
        let residual = draw.normal([2, tokens.shape[1], outputs / 2])
        let picture = draw.normal([2, inputs, 3, 5])
        func results(_ layers: (Linear, Convolution2D), _ t: ElementType) -> [Tensor] {
            [
                layers.0(tokens.to(t)), layers.0(tokens.to(t), then: .geglu, adding: residual.to(t)),
                layers.1(picture.to(t)),
            ]
        }
        let (actual, expected) = inference { (results(prepared, .float32), results(exact, .float64)) }
        let unsplit = inference { results(whole, .float32) }
        for ((actual, expected), unsplit) in zip(zip(actual, expected), unsplit) {
            expectClose(actual.to(.float64), expected, ofLargest: 3e-5, "\(inputs) to \(outputs)")
            let isSame = try (actual - unsplit).magnitude().max().item(Double.self) == 0
            #expect(isSame == (inputs % 2 == 1 || !Kernels.multipliesSplit))
        }
    }

    /// What one convolution leaves in float32 and the next reads so is rounded once less.
    @Test(arguments: 0..<6) func widenedPicturesLoseLess(seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let channels = 2 * (try whole(draw, 8..<60))
        struct Part {
            let norms: [GroupNorm]
            let convolutions: [Convolution2D]
        }
        let (prepared, exact) = try pair(.bfloat16, seed: UInt64(seed)) { weights in
            Part(
                norms: (0..<2).map { GroupNorm(groups: 2, channels: channels, weights["norm"][$0]) },
                convolutions: (0..<2).map {
                    Convolution2D(
                        inputs: channels, outputs: channels, kernel: 3, padding: 1, weights["convolution"][$0]
                    )
                })
        }
        let x = numbers(draw, [2, channels, try whole(draw, 4..<20), try whole(draw, 4..<70)], .bfloat16)
        func between(_ part: Part, _ t: ElementType, widens: Bool) -> Tensor {
            part.convolutions[0](part.norms[0].deferred(x.to(t)).then(.silu), widens: widens)
        }
        func result(_ part: Part, _ t: ElementType, widens: Bool) -> Tensor {
            part.convolutions[1](
                part.norms[1].deferred(between(part, t, widens: widens)).then(.silu), adding: x.to(t))
        }
        let expected = inference {
            (between(exact, .float64, widens: true), result(exact, .float64, widens: true))
        }
        let (middle, wide, narrow) = inference {
            (
                between(prepared, .bfloat16, widens: true), result(prepared, .bfloat16, widens: true),
                result(prepared, .bfloat16, widens: false)
            )
        }
        #expect(middle.elementType == (Kernels.serve(.bfloat16) ? .float32 : .bfloat16))
        expectClose(middle.to(.float64), expected.0, ofLargest: Self.tolerance(.bfloat16))
        check(wide, expected.1, .bfloat16, "\(x.shape)")
        func error(_ x: Tensor) throws -> Double {
            try (x.to(.float64) - expected.1).squared().mean().item(Double.self)
        }
        if Kernels.serve(.bfloat16) { #expect(try error(wide) < error(narrow)) }
    }

    @Test(arguments: types, 0..<6) func joinedPicturesAreThoseConcatenated(type: ElementType, seed: Int)
        throws
    {
        let draw = RandomGenerator(seed: UInt64(seed))
        let (batch, height, width) = (
            try whole(draw, 0..<4), try whole(draw, 1..<30), try whole(draw, 1..<70)
        )
        let pictures = try (0..<(2 + seed % 2)).map {
            numbers(draw, [batch, try whole(draw, 1..<90), height, width], type)
                .contiguous(($0 + seed) % 2 == 0 ? .channelsLast : .contiguous)
        }
        let (actual, expected) = inference { (joined(pictures), concatenated(pictures, along: 1)) }
        #expect(actual.shape == expected.shape)
        #expect(try actual.array(of: Float.self) == expected.array(of: Float.self))
        let x = pictures[0].to(.float64)
        let gradient = valueAndGradient(of: { joined([$0, $0 * 2]).squared().sum() }, at: x).gradient
        expectClose(gradient, x * 10, ofLargest: 1e-12)
    }

    @Test(arguments: types, 0..<12)
    func attentionIsTheFormula(type: ElementType, seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let (batch, heads, size) = (
            try whole(draw, 1..<3), try whole(draw, 1..<4), 2 * (try whole(draw, 1..<90))
        )
        // So many keys are taken in steps.
        let (queries, keys) = (try whole(draw, 1..<300), try whole(draw, 1..<3000))
        func tokens(_ count: Int, times factor: Double) -> Tensor {
            (numbers(draw, [batch, count, heads * size], type) * factor)
                .reshaped([batch, count, heads, size]).transposed(1, 2)
        }
        // Large scores come late, so that what was summed before is rescaled; where they are larger by far, weights that
        // a kernel has written are written again.
        let growth =
            Tensor((0..<keys).map(Float.init)).reshaped([1, 1, keys, 1])
            * (Double(seed * seed) / Double(keys)) + 1
        let (query, key, value) = (
            tokens(queries, times: 1), (tokens(keys, times: 1) * growth).to(type), tokens(keys, times: 1)
        )
        let (actual, expected) = inference {
            (
                Layers.attention(query: query, key: key, value: value),
                scaledDotProductAttention(
                    query: query.to(.float64), key: key.to(.float64), value: value.to(.float64))
            )
        }
        // The larger the scores, the more a rounded one moves the weights.
        let tolerance = Self.tolerance(type) * (1 + Double(seed))
        expectClose(
            actual.to(.float64), expected, ofLargest: tolerance,
            "\([batch, heads, queries, size]) to \(keys) keys")
    }

    @Test(arguments: types, 0..<8)
    func normsAreTheFormulaFarFromZero(type: ElementType, seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let groups = try whole(draw, 1..<9)
        let channels = groups * (try whole(draw, 1..<30))
        struct Part {
            let group: GroupNorm
            let layer: LayerNorm
        }
        let (prepared, exact) = try pair(type, seed: UInt64(seed)) {
            Part(
                group: GroupNorm(groups: groups, channels: channels, $0["group"]),
                layer: LayerNorm(width: channels, $0["layer"]))
        }
        let distance = type == .float32 ? 100.0 : 2
        let picture = (draw.normal([2, channels, 9, try whole(draw, 1..<90)]) + distance).to(type)
        let tokens = (draw.normal([2, try whole(draw, 1..<90), channels]) + distance).to(type)
        let (shift, scale) = (numbers(draw, [2, 1, channels], type), numbers(draw, [2, 1, channels], type))
        func result(_ part: Part, _ t: ElementType) -> [Tensor] {
            [
                part.group(picture.to(t)), part.layer(tokens.to(t)),
                part.layer(tokens.to(t), shift: shift.to(t), scale: scale.to(t)),
            ]
        }
        let (actual, expected) = inference { (result(prepared, type), result(exact, .float64)) }
        for (actual, expected) in zip(actual, expected) {
            expectClose(
                actual.to(.float64), expected, ofLargest: type == .float32 ? 1e-4 : 2.5e-2,
                "\(channels) channels in \(groups) groups")
        }
    }

    /// A batch of nothing gives a batch of nothing.
    @Test(arguments: types) func emptyBatchesStayEmpty(type: ElementType) throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), elementType: type)
        let (linear, convolution) = try store.build {
            (
                Linear(inputs: 4, outputs: 8, $0["linear"]),
                Convolution2D(inputs: 4, outputs: 6, kernel: 3, padding: 1, $0["convolution"])
            )
        }
        let (rows, pictures) = inference {
            (linear(.zeros([0, 4], type)), convolution(.zeros([0, 4, 8, 8], type)))
        }
        #expect(rows.failure == nil && rows.shape == [0, 8])
        #expect(pictures.failure == nil && pictures.shape == [0, 6, 8, 8])
    }

    // MARK: What prepared weights are

    @Test(arguments: types) func packedWeightsAreUnpackedBitForBit(type: ElementType) throws {
        guard Kernels.serve(type) else { return }
        let draw = RandomGenerator(seed: 5)
        let matrix = numbers(draw, [130, 46], type)
        for isGated in [false, true] {
            let again = matrix.packedMatrix(isGated: isGated).unpackedMatrix(matrix.shape, isGated: isGated)
            #expect(try again.array(of: Float.self) == matrix.array(of: Float.self))
        }
        let weights = numbers(draw, [70, 6, 3, 3], type)
        let again = weights.packedConvolution().unpackedConvolution(weights.shape)
        #expect(try again.array(of: Float.self) == weights.array(of: Float.self))
    }

    /// Kernels record nothing, so layers leave them where a gradient is wanted, also after they have packed.
    @Test func gradientsPassThroughPreparedLayers() throws {
        let draw = RandomGenerator(seed: 9)
        let (prepared, exact) = try pair(.float32, seed: 9) {
            (
                Convolution2D(inputs: 4, outputs: 6, kernel: 3, padding: 1, $0["a"]),
                Linear(inputs: 6, outputs: 8, $0["b"])
            )
        }
        let x = draw.normal([1, 4, 5, 5])
        func value(_ layers: (Convolution2D, Linear), _ x: Tensor) -> Tensor {
            layers.1(layers.0(x).permuted(0, 2, 3, 1), then: .geglu).squared().sum()
        }
        _ = inference { value(prepared, x) }
        let actual = valueAndGradient(of: { value(prepared, $0) }, at: x).gradient
        let expected = valueAndGradient(of: { value(exact, $0) }, at: x.to(.float64)).gradient
        expectClose(actual.to(.float64), expected, ofLargest: 1e-5)
    }

    /// A norm's numbers are float32 beside pictures in bfloat16, also where a gradient is wanted.
    @Test(arguments: [MemoryFormat.contiguous, .channelsLast])
    func gradientsPassThroughNormsInBfloat16(format: MemoryFormat) throws {
        let draw = RandomGenerator(seed: 11)
        let (prepared, exact) = try pair(.bfloat16, seed: 11) { GroupNorm(groups: 2, channels: 16, $0) }
        let (x, wanted) = (numbers(draw, [2, 16, 5, 7], .bfloat16), numbers(draw, [2, 16, 5, 7], .bfloat16))
        func gradient(_ norm: GroupNorm, _ t: ElementType) throws -> Tensor {
            let x = x.to(t).contiguous(format)
            return valueAndGradient(of: { (norm($0, then: .silu) * wanted.to(t)).sum() }, at: x).gradient
        }
        let actual = try gradient(prepared, .bfloat16)
        expectClose(actual.to(.float64), try gradient(exact, .float64), ofLargest: 2.5e-2)
    }

    /// Where channels lie innermost, training has kernels of its own, forward and back; in bfloat16 what is trained stays
    /// in float32.
    @Test(arguments: types, 0..<12)
    func gradientsOfTrainingAreThoseOfTheFormula(type: ElementType, seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let groups = try whole(draw, 1..<4)
        let (inputs, outputs) = (16 * groups * (try whole(draw, 1..<3)), try whole(draw, 16..<300))
        // Some are small beside what a kernel takes at once, some large, some of odd width.
        let (height, width) = (try whole(draw, 1..<40), try whole(draw, 1..<(seed % 4 == 0 ? 600 : 40)))
        let shape: Shape = [try whole(draw, 1..<5), inputs, height, width]
        try checkTraining(type, draw, shape, outputs: outputs) {
            (
                GroupNorm(groups: groups, channels: inputs, $0["norm"]),
                Convolution2D(inputs: inputs, outputs: outputs, kernel: 3, padding: 1, $0["convolution"])
            )
        }
    }

    @Test(arguments: types, 0..<12)
    func gradientsOfDepthwiseConvolutionsAreThoseOfTheFormula(type: ElementType, seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let (channels, size) = (try whole(draw, 2..<100), 2 * (try whole(draw, 1..<4)) + 1)
        // Some are smaller than the kernel, and some batches are more than one task.
        let shape: Shape = [
            try whole(draw, 1..<20), channels, try whole(draw, 1..<30), try whole(draw, 2..<30),
        ]
        try checkTraining(type, draw, shape, outputs: channels) {
            (
                GroupNorm(groups: 1, channels: channels, $0["norm"]),
                Convolution2D(
                    inputs: channels, outputs: channels, kernel: size, padding: size / 2, groups: channels,
                    bias: seed % 3 > 0, $0["convolution"])
            )
        }
    }

    /// The gradients of all parameters and of the picture of a norm, SiLU and a convolution, in float32 or under a cast to
    /// bfloat16, beside those in float64.
    private func checkTraining(
        _ type: ElementType, _ draw: RandomGenerator, _ shape: Shape, outputs: Int,
        _ make: (Weights) -> (GroupNorm, Convolution2D)
    ) throws {
        let drawn = ParameterStore(.initialized(draw))
        _ = try drawn.build(make)
        let (x, wanted) = (draw.normal(shape), draw.normal([shape[0], outputs, shape[2], shape[3]]))
        func gradients(_ type: ElementType, _ format: MemoryFormat, _ weightFormat: MemoryFormat) throws
            -> [Tensor]
        {
            let isCast = type == .bfloat16
            let own: ElementType = isCast ? .float32 : type
            let store = ParameterStore(
                .loaded(drawn.source), purpose: .training, elementType: own, memoryFormat: weightFormat)
            let (norm, convolution) = try store.build(make)
            let picture = x.to(own).contiguous(format).requiringGradient()
            func answer() -> Tensor { convolution(norm.deferred(picture).then(.silu)) }
            let given = isCast ? autocast(to: .bfloat16, on: .cpu, answer) : answer()
            #expect(given.elementType == type)
            try (given.to(own) * wanted.to(own)).sum().backward()
            return try (store.parameters + [picture]).map { try #require($0.gradient).to(.float64) }
        }
        let exact = try gradients(.float64, .contiguous, .contiguous)
        for format in [MemoryFormat.contiguous, .channelsLast] {
            for (actual, expected) in zip(try gradients(type, .channelsLast, format), exact) {
                expectClose(
                    actual, expected, ofLargest: type == .float32 ? 5e-5 : 2.5e-2, "\(shape) to \(outputs)")
            }
        }
    }

    /// What surrounds a transformer's products: GELU, the gated sum, and the norm with a scale and shift for each example, of
    /// tokens that stay in float32 or do not.
    @Test(arguments: types, 0..<12)
    func gradientsOfTokensAreThoseOfTheFormula(type: ElementType, seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let shape: Shape = [try whole(draw, 1..<5), try whole(draw, 1..<200), try whole(draw, 2..<500)]
        let ofExample: Shape = [shape[0], 1, shape[2]]
        let (isModulated, isAffine, isTanh) = (seed % 4 < 3, seed % 3 > 0, seed % 2 == 0)
        let given =
            [numbers(draw, shape, seed % 2 == 0 ? .float32 : type), numbers(draw, shape, type)]
            + (0..<3).map { _ in numbers(draw, ofExample, type) }
            + (0..<2).map { _ in numbers(draw, [shape[2]], .float32) }
        let wanted = draw.normal(shape)
        func gradients(_ exact: ElementType?) throws -> [Tensor] {
            let leaves = try given.map { try (exact.map($0.to) ?? $0).requiringGradient() }
            let (x, y, gate) = (leaves[0], leaves[1], leaves[2])
            let normed = x.adding(y.gelu(approximate: isTanh), gatedBy: gate).layerNormalized(
                weight: isAffine ? leaves[5] : nil, bias: isAffine ? leaves[6] : nil, epsilon: 1e-5,
                shift: isModulated ? leaves[3] : nil, scale: isModulated ? leaves[4] : nil)
            try (normed.to(.float64) * wanted.to(.float64)).sum().backward()
            return leaves.compactMap(\.gradient).map { $0.to(.float64) }
        }
        let (actual, expected) = (try gradients(nil), try gradients(.float64))
        #expect(actual.count == 3 + (isModulated ? 2 : 0) + (isAffine ? 2 : 0))
        for (actual, expected) in zip(actual, expected) {
            expectClose(actual, expected, ofLargest: type == .float32 ? 5e-5 : 2.5e-2, "\(shape)")
        }
    }

    @Test(arguments: types, 0..<12)
    func gradientsOfAttentionAreThoseOfTheFormula(type: ElementType, seed: Int) throws {
        let draw = RandomGenerator(seed: UInt64(seed))
        let (batch, heads) = (try whole(draw, 1..<3), try whole(draw, 1..<4))
        let size = 2 * (try whole(draw, 1..<90))
        // Kernels leave odd sizes to libtorch.
        let valueSize = seed < 9 ? 2 * (try whole(draw, 1..<90)) : try whole(draw, 1..<180)
        let (queries, keys) = (try whole(draw, 1..<700), try whole(draw, 1..<700))
        func tokens(_ count: Int, _ size: Int) -> Tensor {
            numbers(draw, [batch, count, heads, size], type).transposed(1, 2)
        }
        let given = [tokens(queries, size), tokens(keys, size), tokens(keys, valueSize)]
        let wanted = tokens(queries, valueSize)
        func gradients(_ t: ElementType, _ attention: (Tensor, Tensor, Tensor) -> Tensor) throws -> [Tensor] {
            let leaves = try given.map { try $0.to(t).requiringGradient() }
            let answer = attention(leaves[0], leaves[1], leaves[2])
            try (answer * wanted.to(t)).sum().backward()
            return try leaves.map { try #require($0.gradient) }
        }
        let actual = try gradients(type) { Layers.attention(query: $0, key: $1, value: $2) }
        let exact = try gradients(.float64) { scaledDotProductAttention(query: $0, key: $1, value: $2) }
        for (actual, expected) in zip(actual, exact) {
            check(actual, expected, type, "\([batch, heads, queries, size]) to \([keys, valueSize])")
        }
    }

    /// Gradients of gradients, which a penalty on a gradient needs, are the formula's.
    @Test func secondGradientsOfAttentionAreThoseOfTheFormula() throws {
        let draw = RandomGenerator(seed: 5)
        let (x, key, value) = (
            draw.normal([2, 3, 9, 8]), draw.normal([2, 3, 7, 8]), draw.normal([2, 3, 7, 6])
        )
        func second(_ t: ElementType, _ attention: (Tensor, Tensor, Tensor) -> Tensor) throws -> Tensor {
            let query = try x.to(t).requiringGradient()
            let answer = attention(query, key.to(t), value.to(t)).squared().sum()
            let slope = try #require(
                try gradients(of: [answer], withRespectTo: [query], differentiable: true)[0])
            return try #require(try gradients(of: [slope.squared().sum()], withRespectTo: [query])[0])
        }
        let actual = try second(.float32) { Layers.attention(query: $0, key: $1, value: $2) }
        // libtorch's fast attention has none, so its formula stands here.
        let expected = try second(.float64) { query, key, value in
            (query.matmul(key.transposed(2, 3)) / 8.0.squareRoot()).softmax().matmul(value)
        }
        check(actual, expected, .float32, "second gradient")
    }

    /// Under a watch nothing is fused, so that the layer that is named is the one.
    @Test func aWatchFindsTheLayerInsideWhatIsFused() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        let (norm, convolution) = try store.build {
            (
                GroupNorm(groups: 2, channels: 4, $0["norm"]),
                Convolution2D(inputs: 4, outputs: 4, kernel: 3, padding: 1, $0["convolution"])
            )
        }
        try store["norm.bias"]!.assign(Double.infinity)
        let x = RandomGenerator(seed: 2).normal([1, 4, 6, 6])
        let result = inference { convolution(norm.deferred(x).then(.silu)) }
        #expect(try result.isFinite().all().item(Bool.self) == false)
        #expect(LayerWatch.firstNonFiniteLayer { _ = convolution(norm.deferred(x).then(.silu)) } == "norm")
    }
}

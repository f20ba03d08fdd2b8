import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// What networks do once for a run, and what they may leave out in a step.
@Suite struct PreparedNetworkTests {
    private func unet(
        _ type: ElementType = .float32, matrices: MatrixFormat = .full
    ) throws -> UNet2DCondition {
        var configuration = UNet2DConditionConfiguration()
        configuration.blockOutChannels = [32, 64, 64]
        configuration.downBlockTypes = [.crossAttention, .crossAttention, .plain]
        configuration.upBlockTypes = [.plain, .crossAttention, .crossAttention]
        configuration.layersPerBlock = .same(1)
        configuration.crossAttentionDim = .same(24)
        configuration.attentionHeadDim = .same(4)
        configuration.normNumGroups = 8
        let drawn = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        _ = try drawn.build { try UNet2DCondition(configuration, $0) }
        for parameter in drawn.parameters where parameter.rank == 1 {
            try parameter.assign(parameter + RandomGenerator(seed: 4).normal(parameter.shape) * 0.1)
        }
        let store = ParameterStore(.loaded(drawn.source), elementType: type, matrices: matrices)
        return try store.build { try UNet2DCondition(configuration, $0) }
    }

    private let draw = RandomGenerator(seed: 5)

    private func distance(_ a: Tensor, _ b: Tensor) throws -> Double {
        let (a, b) = (a.to(.float64), b.to(.float64))
        return try ((a - b).norm() / b.norm()).item()
    }

    @Test func whatIsReadOfAContextIsMadeOnce() throws {
        let (unet, x) = (try unet(), draw.normal([2, 4, 16, 16]))
        let conditions = Conditions(context: draw.normal([2, 7, 24]))
        let prepared = unet.preparing(conditions)
        #expect(
            prepared[.projections]?.layers.count == 7, "one pair for each layer that looks at the context")
        let (once, always) = inference {
            (unet(x, time: Tensor([400]), prepared), unet(x, time: Tensor([400]), conditions))
        }
        expectClose(once, always)
        // A layer that reads what was made of another context says something else.
        var other = prepared
        other[.projections] = unet.preparing(Conditions(context: draw.normal([2, 7, 24])))[.projections]
        let wrong = inference { unet(x, time: Tensor([400]), other) }
        #expect(try distance(wrong, always) > 1e-4)
    }

    @Test func deepFeaturesAreThoseOfTheLastWholeCall() throws {
        let unet = try unet()
        let xs = (0..<4).map { _ in draw.normal([2, 4, 16, 16]) }
        let context = draw.normal([2, 7, 24])
        func answers(_ deep: DeepFeatures?, _ xs: [Tensor]) -> [Tensor] {
            var conditions = Conditions(context: context)
            conditions[.deepFeatures] = deep
            return inference { xs.map { unet($0, time: Tensor([400]), conditions) } }
        }
        let plain = answers(nil, xs)
        for (kept, plain) in zip(answers(DeepFeatures(every: 1), xs), plain) { expectClose(kept, plain) }
        // The same question again: what was kept is what would be made.
        let again = answers(DeepFeatures(every: 2), [xs[0], xs[0]])
        expectClose(again[0], plain[0])
        expectClose(again[1], plain[0])
        let reused = answers(DeepFeatures(every: 2), xs)
        for index in [0, 2] { expectClose(reused[index], plain[index]) }
        for index in [1, 3] { #expect(try distance(reused[index], plain[index]) > 1e-4) }
        // Of another batch nothing can be reused.
        let deep = DeepFeatures(every: 3)
        let one = xs[1].slice(0..<1, of: 0)
        _ = answers(deep, [xs[0]])
        var alone = Conditions(context: context.slice(0..<1, of: 0))
        let expected = inference { unet(one, time: Tensor([400]), alone) }
        alone[.deepFeatures] = deep
        expectClose(inference { unet(one, time: Tensor([400]), alone) }, expected)
    }

    /// What is lost in fewer bits, on outputs of a network: stated in docs/Benchmarks.md for real sizes.
    @Test func fewerBitsLoseLittle() throws {
        let x = draw.normal([2, 4, 16, 16])
        let conditions = Conditions(context: draw.normal([2, 7, 24]))
        func answer(_ unet: UNet2DCondition, _ type: ElementType) -> Tensor {
            inference { unet(x.to(type), time: Tensor([400]), conditions.to(type)) }
        }
        let exact = answer(try unet(), .float32)
        let half = try distance(answer(try unet(.bfloat16), .bfloat16), exact)
        let eight = try distance(answer(try unet(matrices: .int8), .float32), exact)
        #expect(half > 1e-4 && half < 2e-2, "bfloat16 is off by \(half)")
        #expect(eight > 1e-5 && eight < 2e-2, "8 bits are off by \(eight)")
    }
}

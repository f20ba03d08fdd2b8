import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct ConditionsTests {
    /// A part of another package's network.
    private struct Scale: ConditionPart, Equatable {
        var factor: Double
        var tensors: [Tensor] { [] }
        func map(_ transform: (Tensor) -> Tensor) -> Scale { self }
        func followed(by other: Scale) -> Scale { Scale(factor: max(factor, other.factor)) }
    }

    /// One of every part, each tensor of `rows` rows filled with `value`.
    private func conditions(rows: Int, value: Double) -> Conditions {
        var conditions = Conditions(
            labels: .full(value, [rows], .int64), context: .full(value, [rows, 3, 2]),
            pooledText: .full(value, [rows, 4]))
        for key in [
            Conditions.Key<Tensor>.contextMask, .numbers, .guidance, .lowResolution, .mask, .embedding,
        ] {
            conditions[key] = .full(value, [rows, 5])
        }
        conditions[.control] = .init(
            down: [.full(value, [rows, 1]), .full(value, [rows, 2])], middle: .full(value, [rows, 3]))
        conditions[.projections] = ContextProjections([
            "b": .init(key: .full(value, [rows, 6]), value: .full(value, [rows, 7])),
            "a": .init(key: .full(value, [rows, 8]), value: .full(value, [rows, 9])),
        ])
        conditions[.init("scale")] = Scale(factor: value)
        return conditions
    }

    /// No part is lost where rows are joined, mapped or converted: every tensor is there, in the same place.
    @Test func `nothing is dropped by operations on all parts`() throws {
        let (two, one) = (conditions(rows: 2, value: 1), conditions(rows: 1, value: 5))
        #expect(two.tensors.count == 9 + 3 + 4)
        let joined = two.followed(by: one)
        #expect(joined.names == two.names)
        for (whole, first) in zip(joined.tensors, two.tensors) {
            #expect(whole.shape == Shape([3] + first.shape.extents.dropFirst()))
            #expect(try whole.slice(0..<2, of: 0).isIdentical(to: first))
            #expect(try whole.slice(2..<3, of: 0).to(.float64).mean().item() == 5.0)
        }
        #expect(joined[.init("scale")] == Scale(factor: 5))
        let half = two.to(.bfloat16)
        #expect(half.names == two.names && half[.labels]?.elementType == .int64)
        #expect(half.tensors.count { $0.elementType == .bfloat16 } == two.tensors.count - 1)
        let doubled = two.map { $0 * 2 }
        for (double, single) in zip(doubled.tensors, two.tensors) {
            #expect(try double.isIdentical(to: single * 2))
        }
        #expect(doubled[.projections]?["a"]?.key.shape == [2, 8])
    }

    @Test func `deep features are the same memory after a change of all tensors`() {
        var conditions = Conditions(labels: .zeros([1], .int64))
        let deep = DeepFeatures(every: 2)
        conditions[.deepFeatures] = deep
        #expect(
            conditions.to(.float64)[.deepFeatures] === deep
                && conditions.names == ["deep features", "labels"])
        conditions[.deepFeatures] = nil
        #expect(conditions.names == ["labels"])
    }

    @Test func `other parts in one batch are a mistake`() async {
        await #expect(processExitsWith: .failure) {
            _ = Conditions(labels: .zeros([1], .int64)).followed(by: Conditions(context: .zeros([1, 2, 3])))
        }
    }

    @Test func `a part that a network does not read is a mistake`() async {
        await #expect(processExitsWith: .failure) {
            let network = try ParameterStore(.initialized(RandomGenerator(seed: 0))).build {
                try MLP(MLPConfiguration(), $0)
            }
            _ = network(
                .zeros([1, 2]), time: .zeros([1]), Conditions(context: .zeros([1, 2, 3])), dropout: nil)
        }
    }
}

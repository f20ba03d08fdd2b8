import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct TensorLayoutTests {
    private let layout: TensorLayout = [
        .renamed("in.*", "first.*"),
        .split("blocks.{i}.qkv.*", ["q", "k", "v"].map { "layers.{i}.\($0).*" }),
        .copied("shared.weight", ["layers.0.shared.weight", "layers.1.shared.weight"]),
        .reordered("last.*", "out.*", order: [1, 0]),
        .dropped("table"),
    ]

    private func numbers(_ count: Int, from first: Int = 0) -> Tensor {
        Tensor((first..<first + count).map { Float($0) })
    }

    private var source: TensorDictionary {
        TensorDictionary([
            "in.bias": numbers(2), "blocks.0.qkv.bias": numbers(6),
            "blocks.0.qkv.weight": numbers(12)
                .reshaped([6, 2]), "blocks.1.qkv.bias": numbers(3, from: 10), "shared.weight": numbers(4),
            "last.bias": numbers(4), "table": numbers(9), "unknown": numbers(1),
        ])
    }

    @Test func `tensors are renamed, cut, shared, reordered and left out`() throws {
        let native = try RearrangedSource(source, layout)
        let expected: [String: (Shape, [Double])] = [
            "first.bias": ([2], [0, 1]), "layers.0.q.bias": ([2], [0, 1]), "layers.0.k.bias": ([2], [2, 3]),
            "layers.0.v.bias": ([2], [4, 5]), "layers.0.q.weight": ([2, 2], [0, 1, 2, 3]),
            "layers.0.k.weight": ([2, 2], [4, 5, 6, 7]), "layers.0.v.weight": ([2, 2], [8, 9, 10, 11]),
            "layers.1.q.bias": ([1], [10]), "layers.1.k.bias": ([1], [11]), "layers.1.v.bias": ([1], [12]),
            "layers.0.shared.weight": ([4], [0, 1, 2, 3]), "layers.1.shared.weight": ([4], [0, 1, 2, 3]),
            "out.bias": ([4], [2, 3, 0, 1]), "unknown": ([1], [0]),
        ]
        #expect(Set(native.names) == Set(expected.keys))
        #expect(native.names.count == expected.count)
        #expect(native.dropped == ["table"])
        for (name, (shape, values)) in expected {
            #expect(native.shape(of: name) == shape, "\(name)")
            #expect(native.elementType(of: name) == .float32)
            #expect(try native.tensor(named: name).array() == values, "\(name)")
        }
    }

    @Test func `a part is not copied`() throws {
        let native = try RearrangedSource(source, layout)
        let whole = numbers(6)
        let fused = TensorDictionary(["blocks.7.qkv.bias": whole])
        let part = try RearrangedSource(fused, layout).tensor(named: "layers.7.k.bias")
        try whole.assign(5)
        #expect(try part.array() == [5, 5])
        #expect(native.shape(of: "layers.7.k.bias") == nil)
    }

    @Test func `what is not there, cannot be cut or comes twice is refused by name`() throws {
        let uneven = try RearrangedSource(
            TensorDictionary(["blocks.0.qkv.bias": numbers(5), "last.bias": Tensor(1 as Float)]), layout)
        #expect(uneven.shape(of: "layers.0.q.bias") == [5])
        #expect(uneven.shape(of: "out.bias") == [])
        for (name, word) in [
            ("layers.0.q.bias", "3 equal parts"), ("out.bias", "2 equal parts"), ("x", "no tensor"),
        ] {
            #expect { try uneven.tensor(named: name) } throws: {
                ($0 as? CheckpointError)?.description.contains(word) == true
            }
        }
        let twice = TensorDictionary(["in.bias": numbers(1), "first.bias": numbers(1)])
        #expect { try RearrangedSource(twice, layout) } throws: {
            ($0 as? CheckpointError)?.description.contains("first.bias") == true
        }
    }
}

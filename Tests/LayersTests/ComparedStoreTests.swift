import Layers
import Tensors
import Testing

/// A store that compares shapes complains of what loading would complain of, and asks for no tensor.
@Suite struct ComparedStoreTests {
    private struct WasRead: Error {}

    /// Names and shapes alone.
    private struct Shapes: TensorSource {
        var shapes: [String: Shape]
        var type: ElementType? = .float32

        var names: [String] { shapes.keys.sorted() }
        let files: [String] = []
        func shape(of name: String) -> Shape? { shapes[name] }
        func elementType(of name: String) -> ElementType? { shapes[name] == nil ? nil : type }
        func tensor(named name: String) throws -> Tensor { throw WasRead() }
    }

    private func build(_ source: Shapes) throws -> ParameterStore {
        let store = ParameterStore(.compared(source))
        _ = try store.build { Linear(inputs: 3, outputs: 2, $0["layer"]) }
        return store
    }

    @Test func whatFitsIsNotRead() throws {
        let store = try build(Shapes(shapes: ["layer.weight": [2, 3], "layer.bias": [2]]))
        #expect(store.names == ["layer.weight", "layer.bias"])
        #expect(store.parameterCount == 8)
    }

    @Test(
        arguments: [
            (["layer.weight": [2, 3]], ElementType.float32, "layer.bias"),
            (["layer.weight": [3, 2], "layer.bias": [2]], .float32, "layer.weight"),
            (["layer.weight": [2, 3], "layer.bias": [2], "other": [1]], .float32, "other"),
            (["layer.weight": [2, 3], "layer.bias": [2]], .int64, "int64"),
            (["layer.weight": [2, 3], "layer.bias": [2]], nil, "WasRead"),
        ] as [([String: Shape], ElementType?, String)])
    func whatDoesNotFitIsNamed(shapes: [String: Shape], type: ElementType?, words: String) {
        #expect { try build(Shapes(shapes: shapes, type: type)) } throws: { "\($0)".contains(words) }
    }
}

import Synchronization
import Tensors

/// Looks at the results of the layers of a network while it runs.
///
/// Looking at every result costs time, so it is done only where someone wants to know: the same computation runs again
/// under a watch, to find the layer out of which the first number came that is not finite, or to list what each layer
/// gives.
public final class LayerWatch: Sendable {
    /// What a layer gave.
    public struct Output: Sendable, Equatable {
        /// The path of the layer in the network.
        public let layer: String
        /// What the layer is: `Linear`, `Conv2d` ….
        public let kind: String
        /// The shape of its result.
        public let shape: Shape
    }

    @TaskLocal static var current: LayerWatch?

    /// Whether someone watches: every layer must then run, and be looked at.
    package static var isWatching: Bool { current != nil }

    private let look: @Sendable (_ result: Tensor, _ output: Output) -> Void

    private init(_ look: @escaping @Sendable (Tensor, Output) -> Void) { self.look = look }

    /// Something that several looks change.
    private final class Shared<Value: Sendable>: Sendable {
        let value: Mutex<Value>
        init(_ value: Value) { self.value = Mutex(value) }
    }

    /// Runs a body whose layers are watched.
    /// - Returns: the path of the first layer whose result held an infinity or a NaN, `nil` where none did.
    public static func firstNonFiniteLayer(in body: () throws -> Void) rethrows -> String? {
        let found = Shared<String?>(nil)
        let watch = LayerWatch { result, output in
            found.value.withLock { found in
                guard found == nil, (try? result.isFinite().all().item(Bool.self)) != true else { return }
                found = output.layer
            }
        }
        try $current.withValue(watch, operation: body)
        return found.value.withLock { $0 }
    }

    /// Runs a body and lists what each layer gives, in the order in which layers run; results that carry an error are left
    /// out.
    public static func outputs(in body: () throws -> Void) rethrows -> [Output] {
        let list = Shared<[Output]>([])
        let watch = LayerWatch { result, output in
            guard result.failure == nil else { return }
            list.value.withLock { $0.append(output) }
        }
        try $current.withValue(watch, operation: body)
        return list.value.withLock { $0 }
    }

    func look(at output: Tensor, of layer: String, _ kind: String) {
        look(output, Output(layer: layer, kind: kind, shape: output.shape))
    }
}

/// A layer's result, looked at where someone watches.
func watched(_ output: Tensor, _ layer: String, _ kind: String) -> Tensor {
    LayerWatch.current?.look(at: output, of: layer, kind)
    return output
}

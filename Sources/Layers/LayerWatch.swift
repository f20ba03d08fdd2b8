import Synchronization
import Tensors

/// Finds the layer out of which the first number that is not finite came.
///
/// Looking at every result costs time, so it is done only when something went wrong: the same computation
/// runs again under a watch.
public final class LayerWatch: Sendable {
    @TaskLocal static var current: LayerWatch?

    /// Whether someone watches: every layer must then run, and be looked at.
    package static var isWatching: Bool { current != nil }

    private let found = Mutex<String?>(nil)

    /// Runs a body whose layers are watched.
    /// - Returns: the path of the first layer whose result held an infinity or a NaN, `nil` where none did.
    public static func firstNonFiniteLayer(in body: () throws -> Void) rethrows -> String? {
        let watch = LayerWatch()
        try $current.withValue(watch, operation: body)
        return watch.found.withLock { $0 }
    }

    func look(at output: Tensor, of layer: String) {
        found.withLock { found in
            guard found == nil, (try? output.isFinite().all().item(Bool.self)) != true else { return }
            found = layer
        }
    }
}

/// A layer's result, looked at where someone watches.
func watched(_ output: Tensor, _ layer: String) -> Tensor {
    LayerWatch.current?.look(at: output, of: layer)
    return output
}

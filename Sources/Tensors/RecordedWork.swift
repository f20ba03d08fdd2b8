import CTorch

/// Work of a CUDA device, recorded once and done again with one call.
///
/// It reads and writes the memory that it read and wrote when it was recorded: whoever replays it writes
/// new values into the tensors that it reads, and copies what it leaves in those that it made.
package final class RecordedWork {
    private let graph: OpaquePointer

    /// Runs a body twice, which lets libraries choose their algorithms, then once more to record it.
    ///
    /// The body may start work on the device and nothing else there: no values read, nothing copied from
    /// the processor. It runs on a stream of its own.
    /// - Throws: `TensorError` where there is no CUDA, or where the body did what cannot be recorded.
    package init(on device: Device, _ body: () -> Void) throws {
        var result: OpaquePointer?
        let status = withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body as () -> Void) { pointer in
                ct_graph_capture(
                    Int32(device.index), 2, { $0!.assumingMemoryBound(to: (() -> Void).self).pointee() },
                    UnsafeMutableRawPointer(mutating: pointer), &result)
            }
        }
        try check(status, "recording")
        graph = result!
    }

    deinit {
        ct_graph_release(graph)
    }

    /// Does the work again; on return it has been started.
    package func replay() throws {
        try check(ct_graph_replay(graph), "replaying")
    }
}

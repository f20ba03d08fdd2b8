import CTorch

/// Runs a body without keeping its activations; the backward pass runs it again to take its gradients.
///
/// Saves memory for about a third more arithmetic. Gradients are those of the body itself, but for the order in
/// which those of one tensor are summed: the second run draws the same numbers from `generator` and computes
/// under the same autocast. They come by `backward()`;
/// `gradients(of:withRespectTo:)` refuses, and there are no second derivatives.
/// Source: Chen et al. 2016 (arXiv:1604.06174), section 4.
/// - Parameters:
///   - inputs: all tensors that were computed under a record and that the body reads. Parameters, and tensors
///     without gradients, it may hold itself.
///   - generator: what the body draws from, if it draws.
///   - body: a function of `inputs` alone; it runs once now and once in the backward pass, possibly on
///     another thread. Its results are new tensors.
/// - Returns: what the body gives; where no gradients are recorded, that is all that happens.
///   A failure makes one tensor that carries the error.
public func recomputed(
    _ inputs: [Tensor], generator: RandomGenerator? = nil, _ body: @escaping ([Tensor]) -> [Tensor]
) -> [Tensor] {
    guard ct_gradient_mode() else { return body(inputs) }
    do {
        for input in inputs { try input.rethrow() }
        let results = ct_tensors_create()
        defer { ct_tensors_release(results) }
        let context = Unmanaged.passRetained(RepeatableBody(body)).toOpaque()
        let status = ct_checkpoint(
            inputs.map { $0.handle.pointer! }, Int32(inputs.count), generator?.pointer, runBody, context,
            { Unmanaged<RepeatableBody>.fromOpaque($0).release() }, results)
        withExtendedLifetime((inputs, generator)) {}
        try check(status)
        return (0..<ct_tensors_count(results)).map { Tensor(owning: ct_tensors_take(results, $0)) }
    } catch {
        return [Tensor(failure: error)]
    }
}

/// Keeps a body alive while C++ may run it.
private final class RepeatableBody {
    let body: ([Tensor]) -> [Tensor]

    init(_ body: @escaping ([Tensor]) -> [Tensor]) { self.body = body }
}

/// What C++ calls. A failed result fails the run.
private func runBody(
    _ context: UnsafeMutableRawPointer, _ inputs: UnsafePointer<OpaquePointer>?, _ count: Int32,
    _ results: OpaquePointer
) {
    let body = Unmanaged<RepeatableBody>.fromOpaque(context).takeUnretainedValue().body
    let tensors = body((0..<Int(count)).map { Tensor(owning: inputs![$0]) })
    for tensor in tensors {
        if let failure = tensor.failure { return ct_tensors_fail(results, failure.message) }
        ct_tensors_append(results, tensor.handle.pointer!)
    }
    withExtendedLifetime(tensors) {}
}

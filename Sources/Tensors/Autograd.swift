import CTorch

// Scopes are modes of the calling thread, so their bodies are synchronous.

/// Whether operations on this thread are recorded for gradients.
package var isRecordingGradients: Bool { ct_gradient_mode() }

/// Runs a body whose operations are not recorded for gradients.
public func withoutGradients<R>(_ body: () throws -> R) rethrows -> R {
    let before = ct_gradient_mode()
    ct_set_gradient_mode(false)
    defer { ct_set_gradient_mode(before) }
    return try body()
}

/// Runs a body whose operations are recorded for gradients, also inside `withoutGradients`.
public func withGradients<R>(_ body: () throws -> R) rethrows -> R {
    let before = ct_gradient_mode()
    ct_set_gradient_mode(true)
    defer { ct_set_gradient_mode(before) }
    return try body()
}

/// Runs a body that will never be differentiated: faster than `withoutGradients`, but the tensors
/// made inside cannot take part in a gradient later.
public func inference<R>(_ body: () throws -> R) rethrows -> R {
    let guarded = ct_inference_begin(true)
    defer { ct_inference_end(guarded) }
    return try body()
}

/// Runs a body whose operations are recorded for gradients, also inside `inference`; tensors that were made in
/// `inference` must be copied to take part.
private func outsideInference<R>(_ body: () throws -> R) rethrows -> R {
    let guarded = ct_inference_begin(false)
    defer { ct_inference_end(guarded) }
    return try body()
}

/// Runs a body in which matrix products and convolutions compute in `type`, while reductions and
/// norms stay in float32 (automatic mixed precision).
public func autocast<R>(to type: ElementType, on device: Device = .cpu, _ body: () throws -> R) rethrows -> R
{
    let kind = device.kind.rawValue
    let wasEnabled = ct_autocast_enabled(kind)
    let before = ct_autocast_element_type(kind)
    ct_autocast_set(kind, true, type.rawValue)
    defer {
        ct_autocast_set(kind, wasEnabled, before)
        // The cache holds cast copies of weights, which the next optimizer step would outdate.
        if !wasEnabled { ct_autocast_clear_cache() }
    }
    return try body()
}

/// The gradients of a scalar (or of `outputs` weighted by `outputGradients`) with respect to tensors.
///
/// - Parameter differentiable: whether gradients can be taken of the result again.
/// - Returns: one gradient for each of `inputs`, `nil` where it takes no part.
/// - Throws: `TensorError` where an output carries an error or does not depend on anything.
public func gradients(
    of outputs: [Tensor], withRespectTo inputs: [Tensor], outputGradients: [Tensor]? = nil,
    differentiable: Bool = false
) throws -> [Tensor?] {
    for tensor in outputs + inputs + (outputGradients ?? []) { try tensor.rethrow() }
    var results = [OpaquePointer?](repeating: nil, count: inputs.count)
    let status = ct_gradients(
        outputs.map { $0.handle.pointer! }, Int32(outputs.count), inputs.map { $0.handle.pointer! },
        Int32(inputs.count),
        outputGradients?.map { $0.handle.pointer }, differentiable, &results)
    withExtendedLifetime((outputs, inputs, outputGradients)) {}
    try check(status, "gradients")
    return results.map { $0.map { Tensor(owning: $0) } }
}

/// A function of a tensor and the gradient of its sum there: for one number per example `[batch]`, that of
/// each example with respect to its own part of `x`. Zeros where the function does not depend on `x`.
///
/// It can be called inside `inference`; of the tensors that were made there, `x` alone takes part.
/// Both carry the error where the function or its gradient failed.
public func valueAndGradient(of function: (Tensor) -> Tensor, at x: Tensor) -> (
    value: Tensor, gradient: Tensor
) {
    outsideInference {
        let leaf = x.copied().requiringGradient()
        let value = function(leaf)
        do {
            try value.rethrow()
            let zeros = Tensor.zeros(x.shape, x.elementType, on: x.device)
            guard value.requiresGradient else { return (value, zeros) }
            let gradient = try gradients(of: [value.sum()], withRespectTo: [leaf])[0]
            return (value.detached(), gradient ?? zeros)
        } catch {
            return (Tensor(failure: error), Tensor(failure: error))
        }
    }
}

private let detach = Operator("aten::detach")

extension Tensor {
    /// Whether operations on this tensor are recorded for gradients.
    public var requiresGradient: Bool {
        guard let pointer = handle.pointer else { return false }
        defer { withExtendedLifetime(handle) {} }
        return ct_tensor_requires_gradient(pointer)
    }

    /// A tensor with the same values for which gradients are recorded.
    public func requiringGradient() -> Tensor {
        let leaf = detached()
        guard let pointer = leaf.handle.pointer else { return leaf }
        do {
            try check(ct_tensor_set_requires_gradient(pointer, true))
            return leaf
        } catch {
            return Tensor(failure: error)
        }
    }

    /// The same values without a history.
    public func detached() -> Tensor {
        requiresGradient ? detach(.tensor(self)) : self
    }

    /// Adds the gradients of this scalar to every parameter that it depends on.
    /// - Throws: the error that this tensor carries; `TensorError` where it depends on no parameter.
    public func backward() throws {
        try rethrow()
        try check(ct_backward(handle.pointer!, nil), "backward")
        withExtendedLifetime(handle) {}
    }

    /// The gradient that `backward` has accumulated for this parameter.
    public var gradient: Tensor? {
        guard let pointer = handle.pointer else { return nil }
        defer { withExtendedLifetime(handle) {} }
        return ct_tensor_gradient(pointer).map { Tensor(owning: $0) }
    }
}

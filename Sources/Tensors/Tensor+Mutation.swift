import CTorch

// Changing a tensor in place, for optimizers, moving averages and parameter stores only: inside this
// package and nowhere in a formula.

private let copyInto = Operator("aten::copy_")
private let fillNormal = Operator("aten::normal_")
private let fillUniform = Operator("aten::uniform_")
private let fillScalar = Operator("aten::fill_.Scalar")
private let foreachMultiply = Operator("aten::_foreach_mul_.Scalar")
private let foreachLerp = Operator("aten::_foreach_lerp_.Scalar")
private let foreachNorm = Operator("aten::_foreach_norm.Scalar")
private let fusedAdam = Operator("aten::_fused_adamw_")

extension Tensor {
    /// Overwrites the elements, converting them.
    package func assign(_ values: Tensor) throws {
        try withoutGradients { try copyInto.run(results: 1, .tensor(self), .tensor(values)) }
    }

    /// Overwrites the elements with one value.
    package func assign(_ value: Double) throws {
        try withoutGradients { try fillScalar.run(results: 1, .tensor(self), .double(value)) }
    }

    /// Overwrites the elements with normal draws.
    package func fillNormal(mean: Double, deviation: Double, _ generator: RandomGenerator) throws {
        try withoutGradients {
            try Tensors.fillNormal.run(
                results: 1, .tensor(self), .double(mean), .double(deviation), .generator(generator))
        }
    }

    /// Overwrites the elements with uniform draws.
    package func fillUniform(_ range: ClosedRange<Double>, _ generator: RandomGenerator) throws {
        try withoutGradients {
            try Tensors.fillUniform.run(
                results: 1, .tensor(self), .double(range.lowerBound), .double(range.upperBound),
                .generator(generator))
        }
    }

    /// Starts or stops the recording of gradients for this very tensor.
    package func setRequiresGradient(_ value: Bool) throws {
        try rethrow()
        try check(ct_tensor_set_requires_gradient(handle.pointer!, value))
    }

    /// Forgets the accumulated gradient.
    package func clearGradient() throws {
        try rethrow()
        try check(ct_tensor_set_gradient(handle.pointer!, nil))
    }
}

/// Operations on many tensors at once, which cost one call and run fused where libtorch can.
package enum ManyTensors {
    /// t ← factor · t
    package static func multiply(_ tensors: [Tensor], by factor: Double) throws {
        try withoutGradients { try foreachMultiply.run(.tensors(tensors), .double(factor)) }
    }

    /// t ← t + weight · (target − t)
    package static func interpolate(_ tensors: [Tensor], to targets: [Tensor], weight: Double) throws {
        try withoutGradients {
            try foreachLerp.run(.tensors(tensors), .tensors(targets), .double(weight))
        }
    }

    /// The Euclidean length of all the tensors taken together, a scalar.
    package static func norm(_ tensors: [Tensor]) -> Tensor {
        withoutGradients {
            stacked(foreachNorm.list(tensors.count, .tensors(tensors), .int(2))).norm()
        }
    }

    /// One AdamW step (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2), in place.
    ///
    /// Parameters, gradients and moments lie in memory in the same order.
    /// - Parameters:
    ///   - steps: one scalar a parameter, the number of this step from 1.
    ///   - scale: a `float32` scalar that gradients are divided by; Apple's kernel does not read it.
    ///   - isSkipped: a `float32` scalar; where it is 1, nothing changes. Apple's kernel does not read it.
    package static func adamW(
        parameters: [Tensor], gradients: [Tensor], firstMoments: [Tensor], secondMoments: [Tensor],
        steps: [Tensor], learningRate: Double, beta1: Double, beta2: Double, weightDecay: Double,
        epsilon: Double, scale: Tensor? = nil, isSkipped: Tensor? = nil
    ) throws {
        try withoutGradients {
            try fusedAdam.run(
                .tensors(parameters), .tensors(gradients), .tensors(firstMoments), .tensors(secondMoments),
                .tensors([]), .tensors(steps), .double(learningRate), .double(beta1), .double(beta2),
                .double(weightDecay), .double(epsilon), .bool(false), .bool(false), .optional(scale),
                .optional(isSkipped))
        }
    }
}

import CTorch

// Operators of our own (`Sources/CTorch/kernels`). Those on packed weights are there only where `Kernels.serve` says so;
// the norms mean their formula everywhere else, and wherever gradients are recorded.

private let packMatrix = Operator("langevin::pack_matrix")
private let unpackMatrix = Operator("langevin::unpack_matrix")
private let linearLayer = Operator("langevin::linear")
private let packConvolution = Operator("langevin::pack_convolution")
private let unpackConvolution = Operator("langevin::unpack_convolution")
private let convolutionLayer = Operator("langevin::convolution")
private let packWinograd = Operator("langevin::pack_winograd")
private let winogradLayer = Operator("langevin::winograd")
private let convolutionAround = Operator("langevin::convolution_3x3")
private let convolutionDepthwise = Operator("langevin::convolution_depthwise")
private let attentionLayer = Operator("langevin::attention")
private let normFactors = Operator("langevin::group_norm_factors")
private let groupNormLayer = Operator("langevin::group_norm")
private let layerNormLayer = Operator("langevin::layer_norm")
private let joinChannels = Operator("langevin::join")
private let gatedGELU = Operator("langevin::geglu")
private let gatedSum = Operator("langevin::gated_add")

/// What a linear layer's product becomes before it is written to memory.
package enum AfterProduct: Int, Sendable {
    case nothing = 0
    case silu = 1
    case gelu = 2
    /// With the hyperbolic tangent.
    case approximateGELU = 3
    /// The first half of the features times the GELU of the second.
    case geglu = 4
}

/// Kernels for inference on processors.
package enum Kernels {
    /// Whether products of float32 numbers as sums of two bfloat16 numbers are faster on this processor than plain ones.
    package static var multipliesSplit: Bool { ct_multiplies_split() }

    /// Whether this processor has the instructions that the kernels for an element type need.
    package static func serve(_ type: ElementType) -> Bool { ct_has_kernels(type.rawValue) }

    /// Whether kernels, which record nothing for gradients, may compute with a tensor.
    package static func serve(_ x: Tensor) -> Bool {
        let type = x.elementType
        return x.device.kind == .cpu && serve(type) && !ct_autocast_enabled(x.device.kind.rawValue)
            && !(ct_gradient_mode() && x.requiresGradient)
    }
}

extension Tensor {
    // MARK: Linear layers

    /// A matrix `[outputs, inputs]`, its inputs even in number in bfloat16, as `linear(packed:)` wants it.
    /// - Parameter splits: whether numbers of float32 become sums of two bfloat16 numbers.
    package func packedMatrix(isGated: Bool, splits: Bool = false) -> Tensor {
        packMatrix(.tensor(self), .bool(isGated), .bool(splits))
    }

    /// The matrix that was packed.
    package func unpackedMatrix(_ shape: Shape, isGated: Bool) -> Tensor {
        unpackMatrix(.tensor(self), .int(shape[0]), .int(shape[1]), .bool(isGated))
    }

    /// residual + gate · after(x·Wᵀ + b): `[…, inputs]` → `[…, outputs]`, half as many where one half gates the other.
    /// - Parameter gate: `[batch, 1, outputs]`
    package func linear(
        packed: Tensor, bias: Tensor?, outputs: Int, then after: AfterProduct, residual: Tensor?,
        gate: Tensor?
    ) -> Tensor {
        linearLayer(
            .tensor(self), .tensor(packed), .optional(bias), .int(outputs), .int(after.rawValue),
            .optional(residual?.contiguous()), .optional(gate?.contiguous()))
    }

    // MARK: Convolutions

    /// Weights `[outputs, inputs, 3, 3]`, inputs even in number in bfloat16, as `convolved(packed:)` wants them.
    package func packedConvolution() -> Tensor { packConvolution(.tensor(self), .bool(false)) }

    /// The same for Winograd's way: four times as many numbers.
    package func packedForWinograd() -> Tensor { packWinograd(.tensor(self), .bool(false)) }

    /// The weights that were packed.
    package func unpackedConvolution(_ shape: Shape) -> Tensor {
        unpackConvolution(.tensor(self), .int(shape[0]), .int(shape[1]))
    }

    /// A convolution of kernel 3, padded by 1, of silu(a·x + b), to which a vector for each picture and a picture are
    /// added. Channels lie innermost in the result.
    ///
    /// - Parameters:
    ///   - norm: a and b, `[2, batch, inputs]` in float32.
    ///   - vector: `[batch, outputs]` or `[1, outputs]`
    ///   - residual: `[batch, outputs, height, width]`
    ///   - widens: whether the result is in float32 where the weights are bfloat16. The picture may be so in any case.
    package func convolved(
        packed: Tensor, bias: Tensor?, outputs: Int, norm: Tensor?, silu: Bool, vector: Tensor?,
        residual: Tensor?,
        widens: Bool = false
    ) -> Tensor {
        convolutionLayer(
            .tensor(self), .tensor(packed), .optional(bias), .int(outputs), .optional(norm), .bool(silu),
            .optional(vector?.contiguous()), .optional(residual), .bool(widens))
    }

    /// The same in float32 by Winograd's way, which takes a third of the products.
    package func convolved(
        packedForWinograd packed: Tensor, bias: Tensor?, outputs: Int, norm: Tensor?, silu: Bool,
        vector: Tensor?,
        residual: Tensor?
    ) -> Tensor {
        winogradLayer(
            .tensor(self), .tensor(packed), .optional(bias), .int(outputs), .optional(norm), .bool(silu),
            .optional(vector?.contiguous()), .optional(residual))
    }

    /// A convolution of kernel 3, padded by 1, for training: by kernels of our own where channels lie innermost.
    package func convolvedAround(_ weight: Tensor, bias: Tensor?) -> Tensor {
        convolutionAround(.tensor(self), .tensor(weight), .optional(bias))
    }

    /// The same with an odd kernel for each channel, `[channels, 1, kernel, kernel]`, padded by its half.
    package func convolvedDepthwise(_ weight: Tensor, bias: Tensor?) -> Tensor {
        convolutionDepthwise(.tensor(self), .tensor(weight), .optional(bias))
    }

    /// Whether weights are to be kept for Winograd's way: in float32, where they are few. Where they are many,
    /// `convolved(packed:)` goes that way by itself. The batch does not matter, so that a picture of a batch is that
    /// picture alone.
    package func isForWinograd(outputs: Int) -> Bool {
        guard let pointer = handle.pointer else { return false }
        defer { withExtendedLifetime(handle) {} }
        return ct_keeps_winograd(pointer, Int64(outputs))
    }

    // MARK: Norms

    /// The factor a and the addend b of each channel of each picture with which a·x + b is its group norm, scaled by
    /// 1 + `scale` and shifted.
    /// - Parameters:
    ///   - scale: `[batch, channels]`
    ///   - shift: `[batch, channels]`
    /// - Returns: `[2, batch, channels]`, float32
    package func groupNormFactors(
        groups: Int, weight: Tensor, bias: Tensor, epsilon: Double, scale: Tensor?, shift: Tensor?
    ) -> Tensor {
        normFactors(
            .tensor(self), .int(groups), .tensor(weight), .tensor(bias), .double(epsilon),
            .optional(scale?.contiguous()), .optional(shift?.contiguous()))
    }

    /// The group norm of pictures or of anything else that has channels, then SiLU where asked for.
    package func groupNormalized(
        groups: Int, weight: Tensor, bias: Tensor, epsilon: Double, thenSiLU: Bool
    ) -> Tensor {
        groupNormLayer(
            .tensor(self), .int(groups), .tensor(weight), .tensor(bias), .double(epsilon), .bool(thenSiLU))
    }

    /// The norm over the innermost dimension, scaled by 1 + `scale` and shifted, both `[batch, 1, width]`.
    package func layerNormalized(
        weight: Tensor?, bias: Tensor?, epsilon: Double, shift: Tensor?, scale: Tensor?
    ) -> Tensor {
        layerNormLayer(
            .tensor(self), .optional(weight), .optional(bias), .optional(shift), .optional(scale),
            .double(epsilon))
    }

    // MARK: Gates

    /// The first half of the features times the GELU of the second.
    /// Source: Shazeer 2020 (arXiv:2002.05202), section 2.
    package func geglu() -> Tensor { gatedGELU(.tensor(self)) }

    /// self + gate · y
    package func adding(_ y: Tensor, gatedBy gate: Tensor) -> Tensor {
        gatedSum(.tensor(self), .tensor(gate), .tensor(y))
    }
}

/// Pictures side by side along their channels: `[batch, channels, height, width]` each, channels innermost in the result.
package func joined(_ pictures: [Tensor]) -> Tensor { joinChannels(.tensors(pictures)) }

/// softmax(Q·Kᵀ·scale)·V over `[batch, heads, tokens, head size]`.
package func fusedAttention(query: Tensor, key: Tensor, value: Tensor, scale: Double?) -> Tensor {
    attentionLayer(.tensor(query), .tensor(key), .tensor(value), scale.map { .double($0) } ?? .none)
}

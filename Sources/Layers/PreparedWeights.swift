import Synchronization
import Tensors

/// The weights of a layer that will only be used: packed for the processor's kernels when they are used first, and from
/// then on kept in that form alone.
package final class PreparedWeights: Sendable {
    /// How weights are packed.
    enum Form: Equatable {
        /// A matrix; a gated one holds values beside their gates.
        case matrix(isGated: Bool)
        /// A convolution of kernel 3.
        case convolution
        /// The same for Winograd's way, beside the weights as they came.
        case winograd
    }

    private enum Kept {
        case plain(Tensor)
        case packed(Tensor, Form)
        case both(plain: Tensor, packed: Tensor)
    }

    let shape: Shape
    private let elementType: ElementType
    private let kept: Mutex<Kept>

    init(_ weights: Tensor) {
        shape = weights.shape
        elementType = weights.elementType
        kept = Mutex(.plain(weights))
    }

    /// Whether weights of a shape can be packed at all: kernels take inputs in bfloat16 in pairs.
    static func canPack(_ shape: Shape, _ type: ElementType) -> Bool {
        (type == .float32 || shape[1] % 2 == 0) && shape.elementCount > 0
    }

    /// The weights as they came; those that were packed are unpacked again.
    var plain: Tensor { kept.withLock { Self.plain($0, shape) } }

    /// The packed weights.
    func packed(_ form: Form) -> Tensor {
        kept.withLock { kept in
            switch kept {
            case .packed(let packed, form): return packed
            case .both(_, let packed) where form == .winograd: return packed
            default: break
            }
            let plain = Self.plain(kept, shape)
            let packed =
                switch form {
                case .matrix(let isGated): plain.packedMatrix(isGated: isGated)
                case .convolution: plain.packedConvolution()
                case .winograd: plain.packedForWinograd()
                }
            if packed.failure == nil {
                kept = form == .winograd ? .both(plain: plain, packed: packed) : .packed(packed, form)
            }
            return packed
        }
    }

    private static func plain(_ kept: Kept, _ shape: Shape) -> Tensor {
        switch kept {
        case .plain(let weights), .both(let weights, _): weights
        case .packed(let packed, .matrix(let isGated)): packed.unpackedMatrix(shape, isGated: isGated)
        case .packed(let packed, _): packed.unpackedConvolution(shape)
        }
    }

    /// Whether kernels may compute with a tensor and these weights.
    func serve(_ x: Tensor) -> Bool { x.elementType == elementType && kernelsServe(x) }
}

/// Whether kernels may compute with a tensor. Where someone watches layers, each shows what it gives, so nothing is
/// fused.
func kernelsServe(_ x: Tensor) -> Bool { LayerWatch.current == nil && Kernels.serve(x) }

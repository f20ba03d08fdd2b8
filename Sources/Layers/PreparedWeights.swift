import Synchronization
import Tensors

/// The weights of a layer that will only be used: packed for the processor's kernels when they are used first, and from
/// then on kept in that form alone.
package final class PreparedWeights: Sendable {
    /// How weights are packed.
    enum Form: Equatable {
        /// A matrix; a gated one holds values beside their gates.
        case matrix(isGated: Bool)
        /// The same as sums of two bfloat16 numbers, beside the matrix as it came, which has more bits.
        case splitMatrix(isGated: Bool)
        /// A convolution of kernel 3.
        case convolution
        /// The same for Winograd's way, beside the weights as they came.
        case winograd
    }

    private enum Kept {
        case plain(Tensor)
        case packed(Tensor, Form)
        case both(plain: Tensor, packed: Tensor, Form)
    }

    let shape: Shape
    private let elementType: ElementType
    private let splits: Bool
    private let kept: Mutex<Kept>

    /// Weights that will be packed; matrices of `float32` in the form `format` where the processor is made for it.
    init(_ weights: Tensor, _ format: MatrixFormat = .full) {
        shape = weights.shape
        elementType = weights.elementType
        splits =
            format == .bfloat16x3 && elementType == .float32 && shape[1] % 2 == 0 && Kernels.multipliesSplit
        kept = Mutex(.plain(weights))
    }

    /// Whether weights of a shape can be packed at all: kernels take inputs in bfloat16 in pairs.
    static func canPack(_ shape: Shape, _ type: ElementType) -> Bool {
        (type == .float32 || shape[1] % 2 == 0) && shape.elementCount > 0
    }

    /// Whether a convolution of a picture is to go Winograd's way.
    func isForWinograd(_ x: Tensor) -> Bool { elementType == .float32 && x.isForWinograd(outputs: shape[0]) }

    /// The weights as they came; those that were packed are unpacked again.
    var plain: Tensor { kept.withLock { Self.plain($0, shape) } }

    /// The packed weights.
    func packed(_ form: Form) -> Tensor {
        kept.withLock { kept in
            switch kept {
            case .packed(let packed, form), .both(_, let packed, form): return packed
            default: break
            }
            let plain = Self.plain(kept, shape)
            let packed =
                switch form {
                case .matrix(let isGated): plain.packedMatrix(isGated: isGated)
                case .splitMatrix(let isGated): plain.packedMatrix(isGated: isGated, splits: true)
                case .convolution: plain.packedConvolution()
                case .winograd: plain.packedForWinograd()
                }
            guard packed.failure == nil else { return packed }
            switch form {
            case .matrix, .convolution: kept = .packed(packed, form)
            case .splitMatrix, .winograd: kept = .both(plain: plain, packed: packed, form)
            }
            plain.forgetMappedPages()
            return packed
        }
    }

    /// The packed weights of a matrix.
    func packedMatrix(isGated: Bool) -> Tensor {
        packed(splits ? .splitMatrix(isGated: isGated) : .matrix(isGated: isGated))
    }

    private static func plain(_ kept: Kept, _ shape: Shape) -> Tensor {
        switch kept {
        case .plain(let weights), .both(let weights, _, _): weights
        case .packed(let packed, .matrix(let isGated)): packed.unpackedMatrix(shape, isGated: isGated)
        case .packed(let packed, _): packed.unpackedConvolution(shape)
        }
    }

    /// Whether kernels may compute with a tensor and these weights.
    func serve(_ x: Tensor) -> Bool { x.elementType == elementType && kernelsServe(x) }

    /// Whether a convolution may: it also reads pictures that one before it left in float32.
    func servePicture(_ x: Tensor) -> Bool {
        (x.elementType == elementType || x.elementType == .float32 && elementType == .bfloat16)
            && kernelsServe(x)
    }
}

/// Whether kernels may compute with a tensor. Where someone watches layers, each shows what it gives, so nothing is
/// fused.
func kernelsServe(_ x: Tensor) -> Bool { LayerWatch.current == nil && Kernels.serve(x) }

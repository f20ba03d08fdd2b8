import Tensors

/// The matrix of a linear layer, `[outputs, inputs]`, in the form in which its store keeps it.
package enum Matrix: Sendable {
    case plain(Tensor)
    case quantized(QuantizedMatrix)
    /// For kernels, where they serve.
    case prepared(PreparedWeights)

    /// x · Wᵀ + b: `[…, inputs]` → `[…, outputs]`
    func product(_ x: Tensor, bias: Tensor?) -> Tensor {
        switch self {
        case .plain(let weight):
            x.computedWide { x in x.linear(x.alike(weight), bias: bias.map(x.alike)) }
        case .quantized(let matrix): matrix.product(x, bias: bias)
        case .prepared(let weights): x.linear(weights.plain, bias: bias)
        }
    }
}

/// How a store keeps the matrices of linear layers.
public enum MatrixFormat: String, Codable, Sendable, CaseIterable {
    /// As numbers of the store's element type.
    case full
    /// As whole numbers of 8 bits and a scale for each row, to run networks in half the memory of
    /// `bfloat16`. They cannot be trained.
    case int8
    /// In `float32`, for processors with matrix instructions for `bfloat16` (AMX): numbers are sums of two bfloat16
    /// numbers in products, which are off by 3e-6 of their result and about twice as fast. Elsewhere the same as `full`.
    case bfloat16x3 = "bf16x3"
}

/// A matrix in 8 bits: whole numbers from −127 to 127, and for each row a scale that multiplies them.
///
/// The scale of a row is its largest magnitude divided by 127, so no value is off by more than half a
/// scale. Values are converted where a product needs them; nothing else is rounded to 8 bits.
/// Source: Dettmers et al. 2022 (arXiv:2208.07339), section 2 (absolute-maximum quantization, by row).
public struct QuantizedMatrix: Sendable {
    /// `[outputs, inputs]`, `int8`
    public let values: Tensor
    /// `[outputs]`. In `float32` for `float16`, which has no numbers small enough.
    public let scales: Tensor

    /// The nearest 8-bit matrix.
    /// - Parameters:
    ///   - matrix: `[outputs, inputs]`, floating-point.
    ///   - elementType: the type of the products.
    public init(_ matrix: Tensor, for elementType: ElementType) {
        let (rows, step) = (matrix.shape[0], 512)
        guard rows > step else {
            self.init(rows: matrix, for: elementType)
            return
        }
        // Some rows at a time, into memory that is there before: a large matrix in float32 beside each that is
        // kept would leave holes that the allocator cannot use again.
        let values = Tensor.empty(matrix.shape, .int8, on: matrix.device)
        var scales: [Tensor] = []
        do {
            for start in stride(from: 0, to: rows, by: step) {
                let range = start..<min(start + step, rows)
                let part = QuantizedMatrix(rows: matrix.slice(range, of: 0), for: elementType)
                try values.slice(range, of: 0).assign(part.values)
                scales.append(part.scales)
            }
            self.init(values: values, scales: concatenated(scales))
        } catch {
            // Rows that failed carry their error; the whole says it in their place.
            self.init(rows: matrix, for: elementType)
        }
    }

    private init(rows matrix: Tensor, for elementType: ElementType) {
        let wide = matrix.to(elementType == .float64 ? .float64 : .float32)
        // The scale is rounded first, so that values are the nearest multiples of the scale that is used.
        // A row of zeros has any scale.
        let largest = wide.magnitude().max([1]).clamped(from: Self.smallest)
        scales = (largest / 127).to(Self.scaleType(elementType))
        let multiples = wide / scales.to(wide.elementType).unsqueezed(1)
        values = multiples.rounded().clamped(to: -127...127).to(.int8)
    }

    /// A matrix of a shape on the device that has shapes only.
    init(shapeOnly shape: Shape, for elementType: ElementType) {
        values = .empty(shape, .int8, on: .meta)
        scales = .empty([shape[0]], Self.scaleType(elementType), on: .meta)
    }

    private init(values: Tensor, scales: Tensor) {
        self.values = values
        self.scales = scales
    }

    /// The same matrix on a device.
    public func to(_ device: Device) -> QuantizedMatrix {
        QuantizedMatrix(values: values.to(device), scales: scales.to(device))
    }

    /// The matrix that it stands for, in the type of its scales.
    public var dequantized: Tensor { values * scales.unsqueezed(1) }

    /// The number of bytes of values and scales.
    public var byteCount: Int { values.byteCount + scales.byteCount }

    /// x · Wᵀ + b: `[…, inputs]` → `[…, outputs]`
    func product(_ x: Tensor, bias: Tensor?) -> Tensor {
        let product = product(x)
        return bias.map { product + $0 } ?? product
    }

    private func product(_ x: Tensor) -> Tensor {
        let (inputs, outputs) = (values.shape[1], values.shape[0])
        let rows = x.elementCount / max(inputs, 1)
        switch x.elementType {
        case .bfloat16 where x.device == .cpu && rows <= 16:
            // libtorch's own product saves the conversion. With more rows, which share the conversion's
            // cost, and for all other types, it is slower, up to forty times.
            let product = x.reshaped([rows, inputs]).contiguous().linear(int8: values, scales: scales)
            return product.reshaped(Shape(x.shape.extents.dropLast() + [outputs]))
        case .float16:
            // Products with whole numbers up to 127 might not fit into it.
            return x.linear(dequantized.to(.float16))
        default: return x.linear(values.to(x.elementType)) * scales
        }
    }

    /// Above 0 by so much that a scale never becomes 0, whatever its type.
    private static let smallest = 1e-30

    private static func scaleType(_ type: ElementType) -> ElementType { type == .float16 ? .float32 : type }
}

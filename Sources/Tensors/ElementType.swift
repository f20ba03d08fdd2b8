/// What one element of a tensor is. Raw values are libtorch's own (`c10::ScalarType`).
public enum ElementType: Int32, Sendable, Codable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case int16 = 2
    case int32 = 3
    case int64 = 4
    case float16 = 5
    case float32 = 6
    case float64 = 7
    case bool = 11
    case bfloat16 = 15

    /// The name that users type: `float32`, `bfloat16`, …
    public var name: String { "\(self)" }

    /// The element type of a name, `nil` where there is none.
    public init?(name: String) {
        guard let found = ElementType.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .int16, .float16, .bfloat16: 2
        case .int32, .float32: 4
        case .int64, .float64: 8
        }
    }

    /// Whether elements are floating-point numbers, so that gradients can exist.
    public var isFloatingPoint: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64: true
        default: false
        }
    }
}

/// A Swift type whose values can be the elements of a tensor.
public protocol TensorScalar: Sendable {
    /// The element type with the same layout in memory.
    static var elementType: ElementType { get }
}

extension Float: TensorScalar {
    /// `float32`
    public static var elementType: ElementType { .float32 }
}
extension Double: TensorScalar {
    /// `float64`
    public static var elementType: ElementType { .float64 }
}
extension UInt8: TensorScalar {
    /// `uint8`
    public static var elementType: ElementType { .uint8 }
}
extension Int8: TensorScalar {
    /// `int8`
    public static var elementType: ElementType { .int8 }
}
extension Int16: TensorScalar {
    /// `int16`
    public static var elementType: ElementType { .int16 }
}
extension Int32: TensorScalar {
    /// `int32`
    public static var elementType: ElementType { .int32 }
}
extension Int64: TensorScalar {
    /// `int64`
    public static var elementType: ElementType { .int64 }
}
extension Int: TensorScalar {
    /// `int64`
    public static var elementType: ElementType { .int64 }
}
extension Bool: TensorScalar {
    /// `bool`
    public static var elementType: ElementType { .bool }
}

// Comparisons, element by element, to booleans; written with Swift's pointwise operators.

private let equalTensor = Operator("aten::eq.Tensor")
private let equalScalar = Operator("aten::eq.Scalar")
private let unequalTensor = Operator("aten::ne.Tensor")
private let lessTensor = Operator("aten::lt.Tensor")
private let lessScalar = Operator("aten::lt.Scalar")
private let lessEqualTensor = Operator("aten::le.Tensor")
private let lessEqualScalar = Operator("aten::le.Scalar")
private let greaterTensor = Operator("aten::gt.Tensor")
private let greaterScalar = Operator("aten::gt.Scalar")
private let greaterEqualTensor = Operator("aten::ge.Tensor")
private let greaterEqualScalar = Operator("aten::ge.Scalar")
private let bothTrue = Operator("aten::logical_and")
private let eitherTrue = Operator("aten::logical_or")
private let notTrue = Operator("aten::logical_not")
private let choose = Operator("aten::where.self")
private let fillWhere = Operator("aten::masked_fill.Scalar")
private let identical = Operator("aten::equal")

extension Tensor {
    /// `true` where both are equal.
    public static func .== (a: Tensor, b: Tensor) -> Tensor { equalTensor(.tensor(a), .tensor(b)) }
    /// `true` where both are equal.
    public static func .== (a: Tensor, b: Double) -> Tensor { equalScalar(.tensor(a), .double(b)) }
    /// `true` where they differ.
    public static func .!= (a: Tensor, b: Tensor) -> Tensor { unequalTensor(.tensor(a), .tensor(b)) }
    /// `true` where the first is less.
    public static func .< (a: Tensor, b: Tensor) -> Tensor { lessTensor(.tensor(a), .tensor(b)) }
    /// `true` where the first is less.
    public static func .< (a: Tensor, b: Double) -> Tensor { lessScalar(.tensor(a), .double(b)) }
    /// `true` where the first is less or equal.
    public static func .<= (a: Tensor, b: Tensor) -> Tensor { lessEqualTensor(.tensor(a), .tensor(b)) }
    /// `true` where the first is less or equal.
    public static func .<= (a: Tensor, b: Double) -> Tensor { lessEqualScalar(.tensor(a), .double(b)) }
    /// `true` where the first is greater.
    public static func .> (a: Tensor, b: Tensor) -> Tensor { greaterTensor(.tensor(a), .tensor(b)) }
    /// `true` where the first is greater.
    public static func .> (a: Tensor, b: Double) -> Tensor { greaterScalar(.tensor(a), .double(b)) }
    /// `true` where the first is greater or equal.
    public static func .>= (a: Tensor, b: Tensor) -> Tensor { greaterEqualTensor(.tensor(a), .tensor(b)) }
    /// `true` where the first is greater or equal.
    public static func .>= (a: Tensor, b: Double) -> Tensor { greaterEqualScalar(.tensor(a), .double(b)) }
    /// `true` where both are true.
    public static func .& (a: Tensor, b: Tensor) -> Tensor { bothTrue(.tensor(a), .tensor(b)) }
    /// `true` where one is true.
    public static func .| (a: Tensor, b: Tensor) -> Tensor { eitherTrue(.tensor(a), .tensor(b)) }
    /// `true` where it is false.
    public static prefix func .! (a: Tensor) -> Tensor { notTrue(.tensor(a)) }

    /// `value` where `mask` is true, this tensor's elements elsewhere.
    public func filled(with value: Double, where mask: Tensor) -> Tensor {
        fillWhere(.tensor(self), .tensor(mask), .double(value))
    }

    /// Elements of `a` where this tensor is true, of `b` elsewhere.
    public func choosing(_ a: Tensor, otherwise b: Tensor) -> Tensor {
        choose(.tensor(self), .tensor(a), .tensor(b))
    }

    /// Whether two tensors have the same element type, shape and values, bit for bit but for NaN.
    /// - Throws: the error that one of them carries.
    public func isIdentical(to other: Tensor) throws -> Bool {
        guard shape == other.shape, elementType == other.elementType else { return false }
        return try withBytes { mine in
            try other.withBytes { theirs in mine.elementsEqual(theirs) }
        }
    }
}

// Sums, products and powers, element by element, with libtorch's broadcasting.

private let addTensor = Operator("aten::add.Tensor")
private let addScalar = Operator("aten::add.Scalar")
private let subtractTensor = Operator("aten::sub.Tensor")
private let subtractScalar = Operator("aten::sub.Scalar")
private let subtractFrom = Operator("aten::rsub.Scalar")
private let multiplyTensor = Operator("aten::mul.Tensor")
private let multiplyScalar = Operator("aten::mul.Scalar")
private let divideTensor = Operator("aten::div.Tensor")
private let divideScalar = Operator("aten::div.Scalar")
private let reciprocalOf = Operator("aten::reciprocal")
private let negate = Operator("aten::neg")
private let powerScalar = Operator("aten::pow.Tensor_Scalar")
private let powerTensor = Operator("aten::pow.Tensor_Tensor")
private let maximumOf = Operator("aten::maximum")
private let minimumOf = Operator("aten::minimum")
private let multiplyAdd = Operator("aten::addcmul")
private let linearInterpolation = Operator("aten::lerp.Scalar")
private let remainderScalar = Operator("aten::remainder.Scalar")

extension Tensor {
    /// The sum, element by element.
    public static func + (left: Tensor, right: Tensor) -> Tensor { addTensor(.tensor(left), .tensor(right)) }
    /// The sum, element by element.
    public static func + (left: Tensor, right: Double) -> Tensor { addScalar(.tensor(left), .double(right)) }
    /// The sum, element by element.
    public static func + (left: Double, right: Tensor) -> Tensor { addScalar(.tensor(right), .double(left)) }

    /// The difference, element by element.
    public static func - (left: Tensor, right: Tensor) -> Tensor {
        subtractTensor(.tensor(left), .tensor(right))
    }
    /// The difference, element by element.
    public static func - (left: Tensor, right: Double) -> Tensor {
        subtractScalar(.tensor(left), .double(right))
    }
    /// The difference, element by element.
    public static func - (left: Double, right: Tensor) -> Tensor {
        subtractFrom(.tensor(right), .double(left))
    }

    /// The product, element by element.
    public static func * (left: Tensor, right: Tensor) -> Tensor {
        multiplyTensor(.tensor(left), .tensor(right))
    }
    /// The product, element by element.
    public static func * (left: Tensor, right: Double) -> Tensor {
        multiplyScalar(.tensor(left), .double(right))
    }
    /// The product, element by element.
    public static func * (left: Double, right: Tensor) -> Tensor {
        multiplyScalar(.tensor(right), .double(left))
    }

    /// The quotient, element by element.
    public static func / (left: Tensor, right: Tensor) -> Tensor {
        divideTensor(.tensor(left), .tensor(right))
    }
    /// The quotient, element by element.
    public static func / (left: Tensor, right: Double) -> Tensor {
        divideScalar(.tensor(left), .double(right))
    }
    /// The quotient, element by element.
    public static func / (left: Double, right: Tensor) -> Tensor { right.reciprocal() * left }

    /// The negative, element by element.
    public static prefix func - (tensor: Tensor) -> Tensor { negate(.tensor(tensor)) }

    /// 1 / x.
    public func reciprocal() -> Tensor { reciprocalOf(.tensor(self)) }

    /// xᵖ for one exponent.
    public func power(_ exponent: Double) -> Tensor { powerScalar(.tensor(self), .double(exponent)) }

    /// xᵖ element by element.
    public func power(_ exponent: Tensor) -> Tensor { powerTensor(.tensor(self), .tensor(exponent)) }

    /// x².
    public func squared() -> Tensor { self * self }

    /// self + scale · a · b in one pass over memory.
    public func adding(productOf a: Tensor, _ b: Tensor, scale: Double = 1) -> Tensor {
        multiplyAdd(.tensor(self), .tensor(a), .tensor(b), .double(scale))
    }

    /// self + scale · other in one pass over memory.
    public func adding(_ other: Tensor, scale: Double) -> Tensor {
        addTensor(.tensor(self), .tensor(other), .double(scale))
    }

    /// self + weight · (end − self).
    public func interpolated(to end: Tensor, weight: Double) -> Tensor {
        linearInterpolation(.tensor(self), .tensor(end), .double(weight))
    }

    /// The remainder of a division, with the sign of the divisor.
    public func remainder(dividingBy divisor: Double) -> Tensor {
        remainderScalar(.tensor(self), .double(divisor))
    }
}

/// The larger of two, element by element.
public func maximum(_ a: Tensor, _ b: Tensor) -> Tensor { maximumOf(.tensor(a), .tensor(b)) }

/// The smaller of two, element by element.
public func minimum(_ a: Tensor, _ b: Tensor) -> Tensor { minimumOf(.tensor(a), .tensor(b)) }

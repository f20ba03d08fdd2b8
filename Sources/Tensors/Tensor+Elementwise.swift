// Functions of one element.

private let absolute = Operator("aten::abs")
private let exponential = Operator("aten::exp")
private let exponentialMinusOne = Operator("aten::expm1")
private let logarithm = Operator("aten::log")
private let logarithmPlusOne = Operator("aten::log1p")
private let squareRoot = Operator("aten::sqrt")
private let inverseSquareRoot = Operator("aten::rsqrt")
private let sine = Operator("aten::sin")
private let cosine = Operator("aten::cos")
private let inverseCosine = Operator("aten::acos")
private let hyperbolicTangent = Operator("aten::tanh")
private let errorFunction = Operator("aten::erf")
private let inverseErrorFunction = Operator("aten::erfinv")
private let logistic = Operator("aten::sigmoid")
private let logLogistic = Operator("aten::log_sigmoid")
private let softPlus = Operator("aten::softplus")
private let sigmoidLinearUnit = Operator("aten::silu")
private let gaussianErrorUnit = Operator("langevin::gelu")
private let rectifiedLinearUnit = Operator("aten::relu")
private let leakyUnit = Operator("aten::leaky_relu")
private let mishUnit = Operator("aten::mish")
private let roundHalfToEven = Operator("aten::round")
private let floorOf = Operator("aten::floor")
private let ceilingOf = Operator("aten::ceil")
private let signOf = Operator("aten::sign")
private let clampBetween = Operator("aten::clamp")
private let clampTensors = Operator("aten::clamp.Tensor")
private let finiteTest = Operator("aten::isfinite")
private let notANumberTest = Operator("aten::isnan")

extension Tensor {
    /// |x|
    public func magnitude() -> Tensor { absolute(.tensor(self)) }
    /// eˣ
    public func exp() -> Tensor { exponential(.tensor(self)) }
    /// eˣ − 1, exact near 0
    public func expMinusOne() -> Tensor { exponentialMinusOne(.tensor(self)) }
    /// ln x
    public func log() -> Tensor { logarithm(.tensor(self)) }
    /// ln(1 + x), exact near 0
    public func logOnePlus() -> Tensor { logarithmPlusOne(.tensor(self)) }
    /// √x
    public func squareRoot() -> Tensor { Tensors.squareRoot(.tensor(self)) }
    /// 1/√x
    public func inverseSquareRoot() -> Tensor { Tensors.inverseSquareRoot(.tensor(self)) }
    /// sin x, x in radians
    public func sin() -> Tensor { sine(.tensor(self)) }
    /// cos x, x in radians
    public func cos() -> Tensor { cosine(.tensor(self)) }
    /// The angle in 0 … π whose cosine is x.
    public func arccosine() -> Tensor { inverseCosine(.tensor(self)) }
    /// tanh x
    public func tanh() -> Tensor { hyperbolicTangent(.tensor(self)) }
    /// The error function.
    public func erf() -> Tensor { errorFunction(.tensor(self)) }
    /// The inverse of the error function.
    public func inverseErf() -> Tensor { inverseErrorFunction(.tensor(self)) }
    /// 1 / (1 + e⁻ˣ)
    public func sigmoid() -> Tensor { logistic(.tensor(self)) }
    /// ln sigmoid x
    public func logSigmoid() -> Tensor { logLogistic(.tensor(self)) }
    /// ln(1 + eˣ)
    public func softplus() -> Tensor { softPlus(.tensor(self)) }
    /// x · sigmoid x (SiLU, swish)
    public func silu() -> Tensor { sigmoidLinearUnit(.tensor(self)) }
    /// x · Φ(x); with the hyperbolic tangent's approximation where `approximate`.
    public func gelu(approximate: Bool = false) -> Tensor {
        gaussianErrorUnit(.tensor(self), .bool(approximate))
    }
    /// max(x, 0)
    public func relu() -> Tensor { rectifiedLinearUnit(.tensor(self)) }
    /// x above 0, and slope · x below. Source: Maas et al. 2013, section 2.
    public func leakyReLU(_ slope: Double) -> Tensor { leakyUnit(.tensor(self), .double(slope)) }

    /// x · tanh(softplus x)
    public func mish() -> Tensor { mishUnit(.tensor(self)) }
    /// The nearest whole number, halves to even.
    public func rounded() -> Tensor { roundHalfToEven(.tensor(self)) }
    /// The next whole number below.
    public func floor() -> Tensor { floorOf(.tensor(self)) }
    /// The next whole number above.
    public func ceiling() -> Tensor { ceilingOf(.tensor(self)) }
    /// −1, 0 or 1
    public func sign() -> Tensor { signOf(.tensor(self)) }

    /// The nearest value in a range.
    public func clamped(to range: ClosedRange<Double>) -> Tensor {
        clampBetween(.tensor(self), .double(range.lowerBound), .double(range.upperBound))
    }

    /// At least `minimum`.
    public func clamped(from minimum: Double) -> Tensor { clampBetween(.tensor(self), .double(minimum)) }

    /// At most `maximum`.
    public func clamped(upTo maximum: Double) -> Tensor {
        clampBetween(.tensor(self), .none, .double(maximum))
    }

    /// The nearest value between two tensors, element by element.
    public func clamped(between minimum: Tensor, and maximum: Tensor) -> Tensor {
        clampTensors(.tensor(self), .tensor(minimum), .tensor(maximum))
    }

    /// `true` where a number is neither infinite nor NaN.
    public func isFinite() -> Tensor { finiteTest(.tensor(self)) }

    /// `true` where a number is NaN.
    public func isNaN() -> Tensor { notANumberTest(.tensor(self)) }
}

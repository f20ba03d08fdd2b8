// Many elements to few.

private let sumAll = Operator("aten::sum")
private let sumOver = Operator("aten::sum.dim_IntList")
private let meanAll = Operator("aten::mean")
private let meanOver = Operator("aten::mean.dim")
private let varianceOver = Operator("aten::var.correction")
private let maximumOver = Operator("aten::amax")
private let minimumOver = Operator("aten::amin")
private let argumentOfMaximum = Operator("aten::argmax")
private let argumentOfMinimum = Operator("aten::argmin")
private let vectorNorm = Operator("aten::linalg_vector_norm")
private let softMaximum = Operator("aten::softmax.int")
private let logSoftMaximum = Operator("aten::log_softmax.int")
private let logSumExponential = Operator("aten::logsumexp")
private let runningSum = Operator("aten::cumsum")
private let runningProduct = Operator("aten::cumprod")
private let allTrue = Operator("aten::all")
private let anyTrue = Operator("aten::any")
private let quantileOver = Operator("aten::quantile.scalar")
private let sortAlong = Operator("aten::sort")
private let topValues = Operator("aten::topk")

extension Tensor {
    /// The sum of all elements, a scalar.
    public func sum() -> Tensor { sumAll(.tensor(self)) }

    /// The sum over dimensions.
    public func sum(_ dimensions: [Int], keepingDimensions: Bool = false) -> Tensor {
        sumOver(.tensor(self), .ints(dimensions), .bool(keepingDimensions))
    }

    /// The mean of all elements, a scalar.
    public func mean() -> Tensor { meanAll(.tensor(self)) }

    /// The mean over dimensions.
    public func mean(_ dimensions: [Int], keepingDimensions: Bool = false) -> Tensor {
        meanOver(.tensor(self), .ints(dimensions), .bool(keepingDimensions))
    }

    /// The mean of each example over all its elements: `[batch]`.
    public func meanPerExample() -> Tensor { flattened(from: 1).mean([1]) }

    /// The sum over each example's elements: `[batch]`.
    public func sumPerExample() -> Tensor { flattened(from: 1).sum([1]) }

    /// The variance over dimensions (all of them where `nil`); `correction` 1 is the unbiased one.
    public func variance(_ dimensions: [Int]? = nil, correction: Int = 1, keepingDimensions: Bool = false)
        -> Tensor
    {
        varianceOver(
            .tensor(self), dimensions.map { .ints($0) } ?? .none, .int(correction), .bool(keepingDimensions))
    }

    /// The standard deviation over dimensions (all of them where `nil`).
    public func standardDeviation(
        _ dimensions: [Int]? = nil, correction: Int = 1, keepingDimensions: Bool = false
    ) -> Tensor {
        variance(dimensions, correction: correction, keepingDimensions: keepingDimensions).squareRoot()
    }

    /// The largest element over dimensions (all of them where empty).
    public func max(_ dimensions: [Int] = [], keepingDimensions: Bool = false) -> Tensor {
        maximumOver(.tensor(self), .ints(dimensions), .bool(keepingDimensions))
    }

    /// The smallest element over dimensions (all of them where empty).
    public func min(_ dimensions: [Int] = [], keepingDimensions: Bool = false) -> Tensor {
        minimumOver(.tensor(self), .ints(dimensions), .bool(keepingDimensions))
    }

    /// The index of the largest element along a dimension, as `int64`.
    public func indexOfMax(_ dimension: Int) -> Tensor { argumentOfMaximum(.tensor(self), .int(dimension)) }

    /// The index of the smallest element along a dimension, as `int64`.
    public func indexOfMin(_ dimension: Int) -> Tensor { argumentOfMinimum(.tensor(self), .int(dimension)) }

    /// The Euclidean length over dimensions (all of them where `nil`).
    public func norm(_ dimensions: [Int]? = nil, keepingDimensions: Bool = false) -> Tensor {
        vectorNorm(
            .tensor(self), .double(2), dimensions.map { .ints($0) } ?? .none, .bool(keepingDimensions))
    }

    /// eˣ / Σ eˣ along a dimension.
    public func softmax(_ dimension: Int = -1) -> Tensor { softMaximum(.tensor(self), .int(dimension)) }

    /// ln softmax along a dimension.
    public func logSoftmax(_ dimension: Int = -1) -> Tensor { logSoftMaximum(.tensor(self), .int(dimension)) }

    /// ln Σ eˣ over dimensions.
    public func logSumExp(_ dimensions: [Int], keepingDimensions: Bool = false) -> Tensor {
        logSumExponential(.tensor(self), .ints(dimensions), .bool(keepingDimensions))
    }

    /// The running sum along a dimension.
    public func cumulativeSum(_ dimension: Int = 0) -> Tensor { runningSum(.tensor(self), .int(dimension)) }

    /// The running product along a dimension.
    public func cumulativeProduct(_ dimension: Int = 0) -> Tensor {
        runningProduct(.tensor(self), .int(dimension))
    }

    /// Whether all elements are true, a boolean scalar.
    public func all() -> Tensor { allTrue(.tensor(self)) }

    /// Whether an element is true, a boolean scalar.
    public func any() -> Tensor { anyTrue(.tensor(self)) }

    /// The value below which a share of the elements along a dimension lies (linear between neighbours).
    public func quantile(_ share: Double, _ dimension: Int) -> Tensor {
        quantileOver(.tensor(self), .double(share), .int(dimension))
    }

    /// In order along a dimension, with the indices of where each value came from.
    public func sorted(_ dimension: Int = -1, descending: Bool = false) -> (values: Tensor, indices: Tensor) {
        let results = sortAlong.tensors(2, .tensor(self), .int(dimension), .bool(descending))
        return (results[0], results[1])
    }

    /// The largest `count` values along a dimension, with their indices.
    public func largest(_ count: Int, _ dimension: Int = -1) -> (values: Tensor, indices: Tensor) {
        let results = topValues.tensors(2, .tensor(self), .int(count), .int(dimension))
        return (results[0], results[1])
    }
}

// Elements chosen by index; indices are `int64`.

private let selectIndices = Operator("aten::index_select")
private let gatherIndices = Operator("aten::gather")
private let lookUp = Operator("aten::embedding")
private let indexTensors = Operator("aten::index.Tensor")
private let scatterSource = Operator("aten::scatter.src")
private let oneHotRows = Operator("aten::one_hot")

extension Tensor {
    /// The slices of a dimension at the given indices, `indices` being a vector.
    public func gathered(_ indices: Tensor, of dimension: Int = 0) -> Tensor {
        selectIndices(.tensor(self), .int(dimension), .tensor(indices))
    }

    /// One element along a dimension for each place of `indices`.
    public func taken(_ indices: Tensor, along dimension: Int) -> Tensor {
        gatherIndices(.tensor(self), .int(dimension), .tensor(indices))
    }

    /// Elements (or slices) at the places that index tensors name together, `nil` meaning all of a dimension.
    public func indexed(_ indices: [Tensor?]) -> Tensor { indexTensors(.tensor(self), .optionals(indices)) }

    /// A copy in which the elements along a dimension at `indices` are those of `source`.
    public func scattering(_ source: Tensor, at indices: Tensor, along dimension: Int) -> Tensor {
        scatterSource(.tensor(self), .int(dimension), .tensor(indices), .tensor(source))
    }

    /// The rows of this table `[count, width]` that `indices` of any shape name: `[…, width]`.
    public func embedding(_ indices: Tensor) -> Tensor { lookUp(.tensor(self), .tensor(indices)) }

    /// Rows with a 1 at each index: `[…, classes]`, as `int64`.
    public func oneHot(_ classes: Int) -> Tensor { oneHotRows(.tensor(self), .int(classes)) }
}

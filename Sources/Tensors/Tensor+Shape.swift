// The same elements in another arrangement.

private let reshapeTo = Operator("aten::reshape")
private let flattenRange = Operator("aten::flatten.using_ints")
private let squeezeOne = Operator("aten::squeeze.dim")
private let unsqueezeAt = Operator("aten::unsqueeze")
private let expandTo = Operator("aten::expand")
private let transposeTwo = Operator("aten::transpose.int")
private let permute = Operator("aten::permute")
private let narrow = Operator("aten::narrow")
private let selectOne = Operator("aten::select.int")
private let strided = Operator("aten::slice.Tensor")
private let chunk = Operator("aten::chunk")
private let splitSizes = Operator("aten::split_with_sizes")
private let concatenate = Operator("aten::cat")
private let stackUp = Operator("aten::stack")
private let flip = Operator("aten::flip")
private let padConstant = Operator("aten::constant_pad_nd")
private let repeatTimes = Operator("aten::repeat")
private let repeatEach = Operator("aten::repeat_interleave.self_int")
private let roll = Operator("aten::roll")
private let window = Operator("aten::as_strided")

extension Tensor {
    /// The same elements in another shape; one extent may be −1, and follows from the rest.
    public func reshaped(_ shape: Shape) -> Tensor { reshapeTo(.tensor(self), .ints(shape.extents)) }

    /// Dimensions `first … last` as one.
    public func flattened(from first: Int = 0, to last: Int = -1) -> Tensor {
        flattenRange(.tensor(self), .int(first), .int(last))
    }

    /// Without a dimension of extent 1.
    public func squeezed(_ dimension: Int) -> Tensor { squeezeOne(.tensor(self), .int(dimension)) }

    /// With a new dimension of extent 1.
    public func unsqueezed(_ dimension: Int) -> Tensor { unsqueezeAt(.tensor(self), .int(dimension)) }

    /// Seen in a larger shape, extents of 1 repeated without a copy.
    public func expanded(to shape: Shape) -> Tensor { expandTo(.tensor(self), .ints(shape.extents)) }

    /// With two dimensions exchanged.
    public func transposed(_ first: Int = -2, _ second: Int = -1) -> Tensor {
        transposeTwo(.tensor(self), .int(first), .int(second))
    }

    /// With dimensions in another order.
    public func permuted(_ order: Int...) -> Tensor { permute(.tensor(self), .ints(order)) }

    /// The slice `range` of one dimension.
    public func slice(_ range: Range<Int>, of dimension: Int) -> Tensor {
        narrow(.tensor(self), .int(dimension), .int(range.lowerBound), .int(range.count))
    }

    /// Every `step`-th slice of one dimension, from `start`.
    public func strided(from start: Int = 0, by step: Int, of dimension: Int) -> Tensor {
        Tensors.strided(.tensor(self), .int(dimension), .int(start), .none, .int(step))
    }

    /// One slice of a dimension, which disappears.
    public func select(_ index: Int, of dimension: Int = 0) -> Tensor {
        selectOne(.tensor(self), .int(dimension), .int(index))
    }

    /// A window of the memory under it, as another shape with steps of its own, counted in elements.
    /// - Precondition: the window lies within the memory.
    package func window(_ shape: Shape, strides: [Int], offset: Int) -> Tensor {
        Tensors.window(.tensor(self), .ints(shape.extents), .ints(strides), .int(offset))
    }

    /// The slice at an index of the outermost dimension.
    public subscript(index: Int) -> Tensor { select(index) }

    /// Cut into `count` equal parts along a dimension.
    public func chunked(_ count: Int, of dimension: Int) -> [Tensor] {
        chunk.list(count, .tensor(self), .int(count), .int(dimension))
    }

    /// Cut into parts of given extents along a dimension.
    public func split(_ extents: [Int], of dimension: Int) -> [Tensor] {
        splitSizes.list(extents.count, .tensor(self), .ints(extents), .int(dimension))
    }

    /// In reverse order along dimensions.
    public func flipped(_ dimensions: Int...) -> Tensor { flip(.tensor(self), .ints(dimensions)) }

    /// With a border of one value: `[left, right, top, bottom, …]`, innermost dimension first.
    public func padded(_ border: [Int], value: Double = 0) -> Tensor {
        padConstant(.tensor(self), .ints(border), .double(value))
    }

    /// Repeated as a whole along each dimension.
    public func repeated(_ times: [Int]) -> Tensor { repeatTimes(.tensor(self), .ints(times)) }

    /// With each slice of a dimension repeated in place: `a a b b`.
    public func repeatingEach(_ count: Int, of dimension: Int) -> Tensor {
        repeatEach(.tensor(self), .int(count), .int(dimension))
    }

    /// Rotated along a dimension.
    public func rolled(by shift: Int, of dimension: Int) -> Tensor {
        roll(.tensor(self), .ints([shift]), .ints([dimension]))
    }

    /// A tensor of one extent per example, seen as `[batch, 1, 1, …]` beside a tensor of rank `rank`.
    public func broadcast(toRank rank: Int) -> Tensor {
        reshaped(Shape(shape.extents + Array(repeating: 1, count: Swift.max(0, rank - self.rank))))
    }
}

/// Joined along a dimension.
public func concatenated(_ tensors: [Tensor], along dimension: Int = 0) -> Tensor {
    concatenate(.tensors(tensors), .int(dimension))
}

/// Put side by side along a new dimension.
public func stacked(_ tensors: [Tensor], along dimension: Int = 0) -> Tensor {
    stackUp(.tensors(tensors), .int(dimension))
}

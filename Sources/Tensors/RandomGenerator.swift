import CTorch

/// A stream of random numbers: libtorch's own generator, so that a seed gives the numbers that
/// `torch.Generator(device).manual_seed(seed)` gives.
///
/// It is an object, because drawing changes it; one generator belongs to one line of work at a time.
public final class RandomGenerator: @unchecked Sendable {  // libtorch locks it for the length of a draw
    let pointer: OpaquePointer
    /// Where its tensors are made.
    public let device: Device

    /// A generator that starts from a seed.
    /// - Throws: `TensorError` where the device is not available.
    public init(seed: UInt64, on device: Device) throws {
        var result: OpaquePointer?
        try check(ct_generator_create(seed, device.kind.rawValue, Int32(device.index), &result))
        pointer = result!
        self.device = device
    }

    /// A generator on the processor that starts from a seed.
    public init(seed: UInt64) {
        var result: OpaquePointer?
        let status = ct_generator_create(seed, Device.Kind.cpu.rawValue, 0, &result)
        precondition(status.code == 0, "libtorch has no generator for the processor")
        pointer = result!
        device = .cpu
    }

    deinit {
        ct_generator_release(pointer)
    }

    /// All that decides the coming draws: a vector of bytes, to be saved with a run.
    public var state: Tensor {
        var result: OpaquePointer?
        do {
            try check(ct_generator_state(pointer, &result))
            return Tensor(owning: result!)
        } catch {
            return Tensor(failure: error)
        }
    }

    /// Goes on from a saved state.
    /// - Throws: `TensorError` where the bytes are no state of such a generator.
    public func restore(_ state: Tensor) throws {
        try state.rethrow()
        try check(ct_generator_set_state(pointer, state.handle.pointer!))
        withExtendedLifetime(state) {}
    }
}

private let normalDraw = Operator("aten::randn.generator")
private let uniformDraw = Operator("aten::rand.generator")
private let integerDraw = Operator("aten::randint.low_generator")
private let permutationDraw = Operator("aten::randperm.generator")
private let bernoulliDraw = Operator("aten::bernoulli.p")
private let poissonDraw = Operator("aten::poisson")

extension RandomGenerator {
    /// Standard normal numbers.
    public func normal(_ shape: Shape, _ type: ElementType = .float32) -> Tensor {
        normalDraw(
            .ints(shape.extents), .generator(self), .elementType(type), .none, .device(device))
    }

    /// Numbers uniform in 0 ..< 1.
    public func uniform(_ shape: Shape, _ type: ElementType = .float32) -> Tensor {
        uniformDraw(
            .ints(shape.extents), .generator(self), .elementType(type), .none, .device(device))
    }

    /// Whole numbers uniform in a range, as `int64`.
    public func integers(_ shape: Shape, in range: Range<Int>) -> Tensor {
        integerDraw(
            .int(range.lowerBound), .int(range.upperBound), .ints(shape.extents), .generator(self),
            .elementType(.int64), .none, .device(device))
    }

    /// The numbers 0 ..< count in random order, as `int64`.
    public func permutation(_ count: Int) -> Tensor {
        permutationDraw(.int(count), .generator(self), .elementType(.int64), .none, .device(device))
    }

    /// Counts with the given means, as floating-point numbers of their type.
    public func poisson(_ means: Tensor) -> Tensor {
        poissonDraw(.tensor(means), .generator(self))
    }

    /// `true` with the given probability.
    public func coin(_ shape: Shape, probability: Double) -> Tensor {
        bernoulliDraw(
            .tensor(.empty(shape, .float32, on: device)), .double(probability), .generator(self)
        ).to(.bool)
    }
}

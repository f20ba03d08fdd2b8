import CTorch

/// An array of numbers of any rank: libtorch's tensor, as an immutable value.
///
/// Operations return new tensors and do not throw. One that fails (shapes that do not fit, no memory
/// left) gives a tensor that *carries its error*, as a NaN carries on through arithmetic; every
/// operation on it hands the error on, and reading values throws it. `shape` of such a tensor reads
/// as ones, so that code between the failure and the reading of values runs on unharmed.
public struct Tensor: Sendable {
    let handle: TensorHandle

    init(owning pointer: OpaquePointer) {
        handle = TensorHandle(pointer: pointer, failure: nil)
    }

    package init(failure: any Error) {
        let error = failure as? TensorError ?? TensorError(.operation, "\(failure)")
        handle = TensorHandle(pointer: nil, failure: error)
    }

    /// The error that this tensor carries, `nil` where it has values.
    public var failure: TensorError? { handle.failure }

    /// Throws the error that this tensor carries, if it does.
    public func rethrow() throws {
        if let failure = handle.failure { throw failure }
    }
}

/// The one owner of a libtorch tensor; it lets go when the last Swift value is gone.
final class TensorHandle: @unchecked Sendable {  // immutable; libtorch counts references atomically
    let pointer: OpaquePointer?
    let failure: TensorError?

    init(pointer: OpaquePointer?, failure: TensorError?) {
        self.pointer = pointer
        self.failure = failure
    }

    deinit {
        ct_tensor_release(pointer)
    }
}

// MARK: - What it is

extension Tensor {
    /// The extent of each dimension.
    public var shape: Shape {
        guard let pointer = handle.pointer else { return Shape(Array(repeating: 1, count: 8)) }
        defer { withExtendedLifetime(handle) {} }
        let rank = Int(ct_tensor_rank(pointer))
        return withUnsafeTemporaryAllocation(of: Int64.self, capacity: Swift.max(rank, 1)) { sizes in
            ct_tensor_sizes(pointer, sizes.baseAddress!)
            return Shape(sizes[..<rank].map { Int($0) })
        }
    }

    /// The number of dimensions.
    public var rank: Int { shape.rank }

    /// The number of elements.
    public var elementCount: Int {
        guard let pointer = handle.pointer else { return 0 }
        defer { withExtendedLifetime(handle) {} }
        return Int(ct_tensor_element_count(pointer))
    }

    /// The number of bytes of its elements.
    public var byteCount: Int { elementCount * elementType.byteCount }

    /// What one element is. A failed tensor, and a type that this program does not know, say `float32`.
    public var elementType: ElementType {
        guard let pointer = handle.pointer else { return .float32 }
        defer { withExtendedLifetime(handle) {} }
        return ElementType(rawValue: ct_tensor_element_type(pointer)) ?? .float32
    }

    /// Where it lives.
    public var device: Device {
        guard let pointer = handle.pointer else { return .cpu }
        defer { withExtendedLifetime(handle) {} }
        var kind: Int32 = 0
        var index: Int32 = 0
        ct_tensor_device(pointer, &kind, &index)
        return Device(Device.Kind(rawValue: kind) ?? .cpu, index: Int(index))
    }

    /// Whether its elements lie in memory row by row without gaps.
    public var isContiguous: Bool {
        guard let pointer = handle.pointer else { return true }
        defer { withExtendedLifetime(handle) {} }
        return ct_tensor_is_contiguous(pointer)
    }
}

// MARK: - Making one

private let emptyTensor = Operator("aten::empty.memory_format")
private let fullTensor = Operator("aten::full")
private let range = Operator("aten::arange.start_step")
private let linearRange = Operator("aten::linspace")
private let identityMatrix = Operator("aten::eye")

extension Tensor {
    /// A tensor of the given values, row by row.
    /// - Precondition: there are as many values as the shape has elements.
    public init<Scalar: TensorScalar>(_ values: [Scalar], shape: Shape) {
        precondition(
            values.count == shape.elementCount, "\(values.count) values do not fill the shape \(shape)")
        self = values.withUnsafeBytes { Tensor(bytes: $0, shape: shape, elementType: Scalar.elementType) }
    }

    /// A vector of the given values.
    public init<Scalar: TensorScalar>(_ values: [Scalar]) {
        self.init(values, shape: [values.count])
    }

    /// A scalar (rank 0).
    public init<Scalar: TensorScalar>(_ value: Scalar) {
        self.init([value], shape: [])
    }

    /// A copy of bytes in this machine's order, at any alignment.
    /// - Precondition: there are as many bytes as shape and element type need.
    public init(bytes: UnsafeRawBufferPointer, shape: Shape, elementType: ElementType) {
        precondition(
            bytes.count == shape.elementCount * elementType.byteCount,
            "\(bytes.count) bytes do not fill the shape \(shape) of \(elementType)")
        let tensor = Tensor.empty(shape, elementType)
        if let pointer = tensor.handle.pointer, let source = bytes.baseAddress, !bytes.isEmpty {
            ct_tensor_data(pointer)?.copyMemory(from: source, byteCount: bytes.count)
        }
        self = tensor
    }

    /// A tensor over memory that someone else owns, without a copy.
    ///
    /// The memory must not change while the tensor is in use, must be aligned for its element type,
    /// and must stay until `owner` goes; the tensor keeps `owner` alive.
    /// - Parameter isMapped: whether it is a private mapping of a file.
    public init(
        sharing memory: UnsafeMutableRawPointer, shape: Shape, elementType: ElementType,
        isMapped: Bool = false,
        owner: AnyObject
    ) {
        var result: OpaquePointer?
        let context = Unmanaged.passRetained(owner)
        do {
            try check(
                ct_tensor_from_memory(
                    memory, shape.map(Int64.init), Int32(shape.rank), elementType.rawValue, isMapped,
                    context.toOpaque(),
                    { Unmanaged<AnyObject>.fromOpaque($0!).release() }, &result))
            self.init(owning: result!)
        } catch {
            context.release()
            self.init(failure: error)
        }
    }

    /// Gives the memory of a tensor that lies in a mapped file, and was never written to, back to the system, which
    /// reads the file again where the tensor is used. Nothing happens to any other tensor.
    package func forgetMappedPages() {
        if let pointer = handle.pointer { ct_tensor_forget_pages(pointer) }
        withExtendedLifetime(handle) {}
    }

    /// Memory that has not been written yet.
    public static func empty(_ shape: Shape, _ type: ElementType = .float32, on device: Device = .cpu)
        -> Tensor
    {
        emptyTensor(.ints(shape.extents), .elementType(type), .none, .device(device))
    }

    /// The same value everywhere.
    public static func full(
        _ value: Double, _ shape: Shape, _ type: ElementType = .float32, on device: Device = .cpu
    ) -> Tensor {
        fullTensor(.ints(shape.extents), .double(value), .elementType(type), .none, .device(device))
    }

    /// Zeros.
    public static func zeros(_ shape: Shape, _ type: ElementType = .float32, on device: Device = .cpu)
        -> Tensor
    {
        full(0, shape, type, on: device)
    }

    /// Ones.
    public static func ones(_ shape: Shape, _ type: ElementType = .float32, on device: Device = .cpu)
        -> Tensor
    {
        full(1, shape, type, on: device)
    }

    /// `start, start + step, …` up to but not including `end`.
    public static func range(
        from start: Double = 0, to end: Double, by step: Double = 1, _ type: ElementType = .float32,
        on device: Device = .cpu
    ) -> Tensor {
        Tensors.range(
            .double(start), .double(end), .double(step), .elementType(type), .none, .device(device))
    }

    /// `count` values evenly spaced from `start` to `end`, both included.
    public static func linear(
        from start: Double, to end: Double, count: Int, _ type: ElementType = .float32,
        on device: Device = .cpu
    ) -> Tensor {
        linearRange(
            .double(start), .double(end), .int(count), .elementType(type), .none, .device(device))
    }

    /// The identity matrix `[size, size]`.
    public static func identity(_ size: Int, _ type: ElementType = .float32, on device: Device = .cpu)
        -> Tensor
    {
        identityMatrix(.int(size), .elementType(type), .none, .device(device))
    }
}

// MARK: - Reading values

private let convertType = Operator("aten::to.dtype")
private let convertDevice = Operator("aten::to.device")
private let contiguousCopy = Operator("aten::contiguous")
private let clone = Operator("aten::clone")

/// How the elements of a picture tensor lie in memory; raw values are libtorch's own.
public enum MemoryFormat: Int, Sendable {
    /// Row by row, `[batch, channels, height, width]`.
    case contiguous = 0
    /// Channels innermost, the layout in which convolutions are fastest on most processors.
    case channelsLast = 2
}

extension Tensor {
    /// The same values as another element type.
    public func to(_ type: ElementType) -> Tensor {
        type == elementType ? self : convertType(.tensor(self), .elementType(type))
    }

    /// The same values on another device.
    public func to(_ device: Device) -> Tensor {
        device == self.device
            ? self : convertDevice(.tensor(self), .device(device), .elementType(elementType))
    }

    /// The same values in a memory format, itself where it has that format already.
    public func contiguous(_ format: MemoryFormat = .contiguous) -> Tensor {
        contiguousCopy(.tensor(self), .int(format.rawValue))
    }

    /// The same values in memory of their own.
    public func copied() -> Tensor { clone(.tensor(detached())) }

    /// Reads the bytes of its elements, row by row, in this machine's order.
    /// - Throws: the error that this tensor carries; what `body` throws.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        let readable = detached().to(.cpu).contiguous()
        try readable.rethrow()
        defer { withExtendedLifetime(readable) {} }
        guard device.kind != .meta else {
            throw TensorError(.operation, "a tensor on the device 'meta' has a shape and no values")
        }
        let count = readable.byteCount
        guard count > 0, let pointer = readable.handle.pointer, let data = ct_tensor_data(pointer) else {
            return try body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        return try body(UnsafeRawBufferPointer(start: data, count: count))
    }

    /// Its elements, row by row, converted to a Swift type.
    /// - Throws: the error that this tensor carries.
    public func array<Scalar: TensorScalar>(of type: Scalar.Type = Scalar.self) throws -> [Scalar] {
        let converted = detached().to(Scalar.elementType)
        return try converted.withBytes { bytes in Array(bytes.bindMemory(to: Scalar.self)) }
    }

    /// The value of a tensor of one element.
    /// - Throws: the error that this tensor carries, or one that names the shape.
    public func item<Scalar: TensorScalar>(_ type: Scalar.Type = Double.self) throws -> Scalar {
        let values = try array(of: type)
        guard values.count == 1 else {
            throw TensorError(.operation, "one value was read from a tensor of shape \(shape)")
        }
        return values[0]
    }
}

extension Tensor: CustomStringConvertible {
    /// `Tensor([2, 3], float32, cpu)`
    public var description: String {
        failure.map { "Tensor(failed: \($0))" } ?? "Tensor(\(shape), \(elementType), \(device))"
    }
}

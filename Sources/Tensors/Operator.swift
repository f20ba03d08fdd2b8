import CTorch

/// One argument of an operator, as its schema wants it.
package enum OperatorArgument {
    case tensor(Tensor)
    case optional(Tensor?)
    case tensors([Tensor])
    case optionals([Tensor?])
    case int(Int)
    case ints([Int])
    case double(Double)
    case doubles([Double])
    case bool(Bool)
    case string(String)
    case elementType(ElementType)
    case device(Device)
    case generator(RandomGenerator)
    case none
}

/// An operator of libtorch, found once by name and called through the boxed dispatcher.
///
/// Adding an operation is one Swift function and no C++:
///
///     private let exponential = Operator("aten::exp")
///     extension Tensor { public func exp() -> Tensor { exponential(.tensor(self)) } }
///
/// A failed call does not trap: its result carries the error, every operation on it hands the same
/// error on, and whoever reads values gets it thrown.
package struct Operator: @unchecked Sendable {  // the pointer leads into a table that never changes
    private let name: String
    private let pointer: OpaquePointer?
    private let failure: TensorError?

    /// - Parameter name: `namespace::operator.overload`; the overload is left out where there is none.
    package init(_ name: String) {
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        self.name = name
        var found: OpaquePointer?
        do {
            try check(ct_find_operator(parts[0], parts.count > 1 ? parts[1] : "", &found))
            failure = nil
        } catch {
            failure = error as? TensorError
        }
        pointer = found
    }

    /// Calls an operator that gives one tensor.
    package func callAsFunction(_ arguments: OperatorArgument...) -> Tensor {
        do {
            return try withResults(arguments, count: 1) { $0[0].takeTensor() }
        } catch {
            return Tensor(failure: error)
        }
    }

    /// Calls an operator that gives several tensors.
    package func tensors(_ count: Int, _ arguments: OperatorArgument...) -> [Tensor] {
        do {
            return try withResults(arguments, count: count) { results in
                results.map { $0.takeTensor() }
            }
        } catch {
            return Array(repeating: Tensor(failure: error), count: count)
        }
    }

    /// Calls an operator that gives a list of tensors, `count` of them if all goes well.
    package func list(_ count: Int, _ arguments: OperatorArgument...) -> [Tensor] {
        do {
            return try withResults(arguments, count: 1) { $0[0].takeTensors() }
        } catch {
            return Array(repeating: Tensor(failure: error), count: count)
        }
    }

    /// Calls an operator for its effect on its arguments.
    package func run(results: Int = 0, _ arguments: OperatorArgument...) throws {
        try withResults(arguments, count: results) { for value in $0 { value.release() } }
    }

    private func withResults<R>(
        _ arguments: [OperatorArgument], count: Int, _ body: (UnsafeMutableBufferPointer<CTValue>) throws -> R
    ) throws -> R {
        guard let pointer else { throw failure ?? TensorError(.operation, "\(name) was not found") }
        var marshalled = Marshalled(capacity: arguments.count)
        for argument in arguments { try marshalled.append(argument) }
        return try withUnsafeTemporaryAllocation(of: CTValue.self, capacity: max(count, 1)) { results in
            let used = UnsafeMutableBufferPointer(rebasing: results[..<count])
            used.initialize(repeating: CTValue())
            let status = marshalled.withValues { values in
                ct_call(pointer, values.baseAddress, Int32(values.count), results.baseAddress!, Int32(count))
            }
            // A temporary could be released before the call that borrowed its handle returns.
            withExtendedLifetime(arguments) {}
            try check(status, name)
            return try body(used)
        }
    }
}

/// Arguments laid out for C. Arrays are gathered first and pointed to once they no longer move.
private struct Marshalled {
    private var values: [CTValue] = []
    private var integers: [Int64] = []
    private var numbers: [Double] = []
    private var handles: [OpaquePointer?] = []
    private var texts: [ContiguousArray<CChar>] = []

    init(capacity: Int) {
        values.reserveCapacity(capacity)
    }

    mutating func append(_ argument: OperatorArgument) throws {
        switch argument {
        case .tensor(let tensor), .optional(let tensor?):
            try tensor.rethrow()
            var value = CTValue()
            value.tensor = tensor.handle.pointer
            append(CT_TENSOR, value)
        case .optional(nil), .none: append(CT_NONE, CTValue())
        case .tensors(let list): try append(list)
        case .optionals(let list): try append(list)
        case .int(let value): append(CT_INT, integer: value)
        case .elementType(let type): append(CT_INT, integer: Int(type.rawValue))
        case .bool(let value): append(CT_BOOL, integer: value ? 1 : 0)
        case .double(let number):
            var value = CTValue()
            value.number = number
            append(CT_DOUBLE, value)
        case .ints(let list):
            append(CT_INTS, integer: integers.count, count: list.count)
            for value in list { integers.append(Int64(value)) }
        case .doubles(let list):
            append(CT_DOUBLES, integer: numbers.count, count: list.count)
            numbers += list
        case .string(let text):
            let bytes = ContiguousArray(text.utf8CString)
            append(CT_STRING, integer: texts.count, count: bytes.count - 1)
            texts.append(bytes)
        case .device(let device):
            append(
                CT_DEVICE, integer: Int(device.kind.rawValue),
                count: device.kind == .cuda ? device.index : -1)
        case .generator(let generator):
            var value = CTValue()
            value.generator = generator.pointer
            append(CT_GENERATOR, value)
        }
    }

    private mutating func append(_ list: [Tensor?]) throws {
        append(CT_TENSORS, integer: handles.count, count: list.count)
        for tensor in list {
            try tensor?.rethrow()
            handles.append(tensor?.handle.pointer)
        }
    }

    private mutating func append(_ tag: CTTag, integer: Int, count: Int = 0) {
        var value = CTValue()
        value.integer = Int64(integer)
        append(tag, value, count: count)
    }

    private mutating func append(_ tag: CTTag, _ value: CTValue, count: Int = 0) {
        values.append(value)
        values[values.count - 1].kind = Int32(tag.rawValue)
        values[values.count - 1].count = Int32(count)
    }

    /// Replaces each offset into a gathered array by an address that is good for the length of `body`.
    mutating func withValues<R>(_ body: (UnsafeBufferPointer<CTValue>) -> R) -> R {
        integers.withUnsafeBufferPointer { integers in
            numbers.withUnsafeBufferPointer { numbers in
                handles.withUnsafeBufferPointer { handles in
                    for index in values.indices {
                        let offset = Int(values[index].integer)
                        switch CTTag(rawValue: UInt32(values[index].kind)) {
                        case CT_INTS: values[index].integers = integers.baseAddress.map { $0 + offset }
                        case CT_DOUBLES: values[index].numbers = numbers.baseAddress.map { $0 + offset }
                        case CT_TENSORS: values[index].tensors = handles.baseAddress.map { $0 + offset }
                        case CT_STRING:
                            // A ContiguousArray's elements stay where they are while `texts` is not changed.
                            texts[offset].withUnsafeBufferPointer { values[index].text = $0.baseAddress }
                        default: break
                        }
                    }
                    return values.withUnsafeBufferPointer(body)
                }
            }
        }
    }
}

extension CTValue {
    fileprivate func takeTensor() -> Tensor {
        guard kind == Int32(CT_TENSOR.rawValue), let tensor else {
            release()
            return Tensor(
                failure: TensorError(.operation, "an operator gave no tensor where one was expected"))
        }
        return Tensor(owning: tensor)
    }

    fileprivate func takeTensors() -> [Tensor] {
        guard kind == Int32(CT_TENSORS.rawValue), let tensors else { return [takeTensor()] }
        defer { ct_free(UnsafeMutableRawPointer(mutating: tensors)) }
        return (0..<Int(count)).map { Tensor(owning: tensors[$0]!) }
    }

    fileprivate func release() {
        if kind == Int32(CT_TENSOR.rawValue) { ct_tensor_release(tensor) }
        if kind == Int32(CT_TENSORS.rawValue) { _ = takeTensors() }
    }
}

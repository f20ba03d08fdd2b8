import Storage
import Tensors

/// Reads what a pickle describes without running anything of it.
///
/// A pickle is a program for a stack machine. This machine knows the instructions that PyTorch writes
/// (protocol 2, and those that protocols 3 to 5 add for plain data) and refuses the others; a call is
/// carried out only where it makes a tensor or a dictionary (`PickleGlobal`), and otherwise leaves a
/// placeholder. Work and memory are bounded by the length of the pickle, `maximalStepCount` and `room`.
/// Source of the instructions: Python's `pickletools`.
struct PickleMachine {
    /// The most instructions that a pickle may have; a checkpoint of 3,000 tensors has about 100,000.
    static let maximalStepCount = 1_000_000
    /// The most bytes that a pickle may have; its tensors are not among them.
    static let maximalByteCount = 16 << 20

    private var reader: LittleEndianReader
    private let place: String
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]
    private var steps = 0
    /// What is left of the memory that the values may take, about: a few bytes can describe a large value.
    private var room = 48 << 20
    /// The most values that were on the stack at once.
    private var deepest = 0
    /// What the values read so far consist of.
    private(set) var graph = PickleGraph()

    init(_ bytes: ArraySlice<UInt8>, place: String) {
        reader = LittleEndianReader(bytes)
        self.place = place
    }

    /// The index of the first byte that was not read.
    var position: Int { reader.position }

    /// Reads one pickle, from its protocol to its end.
    /// - Throws: `CheckpointError` that says what was refused.
    mutating func run() throws -> PickleValue {
        (stack, marks, memo) = ([], [], [:])
        do {
            while true {
                steps += 1
                guard steps <= Self.maximalStepCount else {
                    throw refusal("it has more than \(Self.maximalStepCount) instructions")
                }
                let code = try reader.byte()
                if code == UInt8(ascii: ".") { break }
                if stack.count > deepest {
                    deepest = stack.count
                    try reserve(2 * MemoryLayout<PickleValue>.stride)
                }
                guard try data(code) || structure(code) || objects(code) else {
                    throw refusal("the instruction 0x\(String(code, radix: 16)) is none that weights need")
                }
            }
        } catch is LittleEndianReader.CutShort {
            throw refusal("it ends before its time; fetch it again")
        }
        guard stack.count == 1, marks.isEmpty else { throw refusal("it does not describe one value") }
        return stack[0]
    }

    /// Takes note of memory that a value needs.
    private mutating func reserve(_ byteCount: Int) throws {
        room -= byteCount
        guard room >= 0 else { throw refusal("it describes more values than weights need") }
    }

    private func refusal(_ problem: String) -> CheckpointError {
        CheckpointError(place, "the pickle in it cannot be read: \(problem)")
    }

    // MARK: Instructions

    /// Numbers and texts.
    private mutating func data(_ code: UInt8) throws -> Bool {
        switch code {
        case 0x4E: stack.append(.none)
        case 0x88, 0x89: stack.append(.bool(code == 0x88))
        case 0x4B: stack.append(.integer(Int(try reader.byte())))
        case 0x4D: stack.append(.integer(try reader.size(2)))
        case 0x4A: stack.append(.integer(Int(Int32(truncatingIfNeeded: try reader.unsigned(4)))))
        case 0x8A: stack.append(try long(Int(try reader.byte())))
        case 0x8B: stack.append(try long(try reader.size(4)))
        case 0x47:
            let bits = try reader.unsigned(8).byteSwapped
            stack.append(.number(Double(bitPattern: bits)))
        case 0x8C, 0x55: try text(try reader.size(1))
        case 0x58, 0x54: try text(try reader.size(4))
        case 0x8D: try text(try reader.size(8))
        case 0x43: try bytes(try reader.size(1))
        case 0x42: try bytes(try reader.size(4))
        case 0x8E, 0x96: try bytes(try reader.size(8))
        default: return false
        }
        return true
    }

    /// An integer of any length; one that no `Int` holds is a placeholder.
    private mutating func long(_ count: Int) throws -> PickleValue {
        let digits = try reader.take(count)
        guard let last = digits.last else { return .integer(0) }
        guard count <= 8 else { return .opaque("a long integer") }
        let isNegative = last & 0x80 != 0
        return .integer(digits.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int($1) })
    }

    private mutating func text(_ count: Int) throws {
        let text = String(validating: try reader.take(count), as: UTF8.self)
        try reserve(count > 15 ? count + 48 : 0)
        stack.append(text.map { .text($0) } ?? .opaque("a text that is not UTF-8"))
    }

    private mutating func bytes(_ count: Int) throws {
        _ = try reader.take(count)
        stack.append(.opaque("bytes"))
    }

    /// Containers, the stack and the memo.
    private mutating func structure(_ code: UInt8) throws -> Bool {
        switch code {
        case 0x80:
            let version = try reader.byte()
            guard version <= 5 else { throw refusal("it is of protocol \(version), and 5 is the newest") }
        case 0x95: _ = try reader.take(8)
        case 0x28: marks.append(stack.count)
        case 0x30: _ = try pop()
        case 0x31: _ = try popToMark()
        case 0x32: stack.append(try top())
        case 0x5D, 0x29, 0x8F: stack.append(try sequence([]))
        case 0x7D: stack.append(try dictionary([]))
        case 0x6C, 0x74, 0x91: stack.append(try sequence(try popToMark()))
        case 0x85, 0x86, 0x87: stack.append(try sequence(try pop(Int(code) - 0x84)))
        case 0x64: stack.append(try dictionary(try popToMark()))
        case 0x61: try add([try pop()])
        case 0x65, 0x90: try add(try popToMark())
        case 0x73: try set(try pop(2))
        case 0x75: try set(try popToMark())
        case 0x71: try remember(Int(try reader.byte()))
        case 0x72: try remember(try reader.size(4))
        case 0x94: try remember(memo.count)
        case 0x68: stack.append(try remembered(Int(try reader.byte())))
        case 0x6A: stack.append(try remembered(try reader.size(4)))
        default: return false
        }
        return true
    }

    /// Names, calls and storages.
    private mutating func objects(_ code: UInt8) throws -> Bool {
        switch code {
        case 0x63:
            let (module, name) = (try reader.line(), try reader.line())
            try global(String(decoding: module, as: UTF8.self), String(decoding: name, as: UTF8.self))
        case 0x93:
            let names = try pop(2)
            guard case .text(let module) = names[0], case .text(let name) = names[1] else {
                throw refusal("a class is named by something that is no text")
            }
            try global(module, name)
        case 0x52, 0x81:
            let call = try pop(2)
            stack.append(try result(of: call[0], call[1]))
        case 0x92:
            let call = try pop(3)
            stack.append(try result(of: call[0], call[1]))
        case 0x62:
            _ = try pop()  // the state of an object: attributes, which weights do not have
            _ = try top()
        case 0x51: stack.append(try storage(pop()))
        default: return false
        }
        return true
    }

    // MARK: The stack

    private func top() throws -> PickleValue {
        guard let value = stack.last, stack.count > marks.last ?? 0 else {
            throw refusal("its stack is empty")
        }
        return value
    }

    private mutating func pop() throws -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func pop(_ count: Int) throws -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else { throw refusal("its stack is empty") }
        return take(from: stack.count - count)
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast() else { throw refusal("a mark is missing in it") }
        return take(from: mark)
    }

    /// Takes the upper part of the stack off it.
    private mutating func take(from start: Int) -> [PickleValue] {
        let values = Array(stack[start...])
        stack.removeSubrange(start...)
        return values
    }

    private mutating func remember(_ index: Int) throws {
        if memo[index] == nil { try reserve(96) }
        memo[index] = try top()
    }

    private mutating func sequence(_ values: [PickleValue]) throws -> PickleValue {
        try reserve(48 + values.count * MemoryLayout<PickleValue>.stride)
        return graph.sequence(values)
    }

    /// A dictionary of keys and values in turn.
    private mutating func dictionary(_ values: [PickleValue]) throws -> PickleValue {
        try reserve(48 + values.count * MemoryLayout<PickleValue>.stride)
        return graph.dictionary(try pairs(values))
    }

    private func remembered(_ index: Int) throws -> PickleValue {
        guard let value = memo[index] else { throw refusal("it refers to a value that it has not described") }
        return value
    }

    /// Keys and values in turn as pairs. Not mutating, so that a call with these arguments changes neither the stack nor the
    /// memory of the machine.
    private func pairs(_ values: [PickleValue]) throws -> [(key: PickleValue, value: PickleValue)] {
        guard values.count.isMultiple(of: 2) else { throw refusal("a key has no value") }
        return stride(from: 0, to: values.count, by: 2).map { (values[$0], values[$0 + 1]) }
    }

    private mutating func add(_ values: [PickleValue]) throws {
        try reserve(values.count * 2 * MemoryLayout<PickleValue>.stride)
        switch try top() {
        case .sequence(let index): graph.sequences[index] += values
        case .opaque: break
        case let other: throw refusal("\(other.kind) is used as a list")
        }
    }

    /// Puts keys and values in turn into the dictionary on the stack.
    private mutating func set(_ values: [PickleValue]) throws {
        try reserve(values.count * 2 * MemoryLayout<PickleValue>.stride)
        let members = try pairs(values)
        switch try top() {
        case .dictionary(let index): graph.dictionaries[index] += members
        case .opaque: break
        case let other: throw refusal("\(other.kind) is used as a dictionary")
        }
    }
}

// MARK: - What is called

extension PickleMachine {
    private mutating func global(_ module: String, _ name: String) throws {
        guard let global = PickleGlobal(module: module, name: name) else {
            throw CheckpointError(
                place,
                "it names \(quoted("\(module).\(name)")), which weights have no use for and which could do "
                    + "harm where pickles are run; do not open this file with other programs")
        }
        stack.append(.global(global))
    }

    private mutating func result(of function: PickleValue, _ arguments: PickleValue) throws -> PickleValue {
        guard case .sequence(let index) = arguments else {
            throw refusal("a call has \(arguments.kind) for arguments")
        }
        guard case .global(let global) = function else {
            guard case .opaque(let name) = function else { throw refusal("\(function.kind) is called") }
            return .opaque(name)
        }
        let arguments = graph.sequences[index]
        switch global {
        case .orderedDictionary: return try orderedDictionary(arguments)
        case .size, .rebuildParameter:
            guard let first = arguments.first else { throw refusal("\(global.name) lacks its argument") }
            return first
        case .rebuildTensor: return try tensor(arguments)
        case .rebuildTypedTensor: return try typedTensor(arguments)
        case .storage(_, let name), .other(let name): return .opaque(name)
        }
    }

    /// `OrderedDict()`, or with a list of pairs as Python 2 wrote it. (`defaultdict` has its factory there.)
    private mutating func orderedDictionary(_ arguments: [PickleValue]) throws -> PickleValue {
        guard case .sequence(let index)? = arguments.first else { return try dictionary([]) }
        // One list may be given to many calls: what is copied counts as work.
        steps += graph.sequences[index].count
        try reserve(48 + graph.sequences[index].count * 2 * MemoryLayout<PickleValue>.stride)
        return graph.dictionary(
            try graph.sequences[index].map { pair in
                guard case .sequence(let pair) = pair, graph.sequences[pair].count == 2 else {
                    throw refusal("an ordered dictionary is not made of pairs")
                }
                return (graph.sequences[pair][0], graph.sequences[pair][1])
            })
    }

    /// `(storage, offset, size, stride, …)`
    private mutating func tensor(_ arguments: [PickleValue]) throws -> PickleValue {
        guard arguments.count >= 4, case .storage(let storage) = arguments[0],
            case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
            let strides = integers(arguments[3])
        else { throw refusal("a tensor is not described by its storage, offset, shape and strides") }
        let tensor = PickledTensor(storage: storage, offset: offset, shape: shape, strides: strides)
        if let problem = tensor.problem(in: graph.storages[storage]) { throw refusal(problem) }
        try reserve(128 + (shape.count + strides.count) * 8)
        graph.tensors.append(tensor)
        return .tensor(graph.tensors.count - 1)
    }

    /// `(storage, offset, size, stride, …, …, type, …)` of a storage of bytes. Types other than numbers of eight bits
    /// are of no use to weights.
    private mutating func typedTensor(_ arguments: [PickleValue]) throws -> PickleValue {
        guard arguments.count >= 7, case .storage(let index) = arguments[0] else {
            throw refusal("a tensor is not described by its storage, offset, shape, strides and type")
        }
        var storage = graph.storages[index]
        (storage.typeName, storage.elementType) = (arguments[6].kind, .uint8)
        guard storage.float8Values != nil else { return .opaque("a tensor of \(quoted(storage.typeName))") }
        graph.storages[index] = storage
        return try tensor(arguments)
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard case .sequence(let index) = value, graph.sequences[index].count <= 64 else { return nil }
        let integers = graph.sequences[index].compactMap { value -> Int? in
            guard case .integer(let number) = value else { return nil }
            return number
        }
        return integers.count == graph.sequences[index].count ? integers : nil
    }

    /// `('storage', type, key, device, count[, view])`
    private mutating func storage(_ value: PickleValue) throws -> PickleValue {
        guard case .sequence(let index) = value else {
            throw refusal("a storage is not described by a tuple")
        }
        let parts = graph.sequences[index]
        guard parts.count == 5 || parts.count == 6, case .text("storage") = parts[0],
            case .global(.storage(let type, let name)) = parts[1], case .text(let key) = parts[2],
            case .text = parts[3], case .integer(let count) = parts[4], count >= 0
        else { throw refusal("a storage is not described by its type, name, device and size") }
        if let view = parts.dropFirst(5).first, view.kind != "None" {
            throw refusal("a storage is a part of another, as PyTorch 0.3 wrote it; save it with a newer one")
        }
        try reserve(96)
        graph.storages.append(PickledStorage(key: key, elementType: type, typeName: name, count: count))
        return .storage(graph.storages.count - 1)
    }
}

extension PickledTensor {
    /// The number of its elements; the storage has as many at least.
    var elementCount: Int { shape.reduce(1, *) }

    /// Why it cannot be a window of a storage, nil where it can.
    ///
    /// A tensor that repeats elements (strides of 0, or overlapping rows) is refused where it has more of
    /// them than its storage: a few bytes could describe one of any size.
    func problem(in storage: PickledStorage) -> String? {
        guard shape.count == strides.count else { return "a tensor's shape and strides differ" }
        guard offset >= 0, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }) else {
            return "a tensor's shape \(Shape(shape)) or place has a negative number"
        }
        let isEmpty = shape.contains(0)
        var (count, last, isTooLarge) = (1, offset, false)
        for (extent, stride) in zip(shape.map({ max($0, 1) }), strides) {
            let (product, first) = count.multipliedReportingOverflow(by: extent)
            let (reach, second) = (extent - 1).multipliedReportingOverflow(by: stride)
            let (sum, third) = last.addingReportingOverflow(reach)
            (count, last) = (product, sum)
            isTooLarge = isTooLarge || first || second || third
        }
        let fits = isEmpty ? offset <= storage.count : last < storage.count && count <= storage.count
        guard fits, !isTooLarge else {
            return
                "a tensor of the shape \(Shape(shape)) does not fit its storage of \(storage.count) elements"
        }
        return nil
    }
}

import Tensors

/// A value that a pickle describes. Containers are places in a `PickleGraph`, so that values may hold each
/// other in circles and be nested to any depth without recursion.
enum PickleValue: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    /// A list, a tuple or a set.
    case sequence(Int)
    case dictionary(Int)
    case storage(Int)
    case tensor(Int)
    /// A class or function by name. It is never looked up.
    case global(PickleGlobal)
    /// Something of which only the name is known; nothing in it is looked at or run.
    case opaque(String)

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .none: "None"
        case .bool: "a truth value"
        case .integer, .number: "a number"
        case .text: "a text"
        case .sequence: "a list"
        case .dictionary: "a dictionary"
        case .storage: "a storage"
        case .tensor: "a tensor"
        case .global(let global): global.name
        case .opaque(let name): name
        }
    }
}

/// The containers and tensors of a pickle.
struct PickleGraph: Sendable {
    var sequences: [[PickleValue]] = []
    var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    var storages: [PickledStorage] = []
    var tensors: [PickledTensor] = []

    mutating func sequence(_ values: [PickleValue]) -> PickleValue {
        sequences.append(values)
        return .sequence(sequences.count - 1)
    }

    mutating func dictionary(_ members: [(key: PickleValue, value: PickleValue)]) -> PickleValue {
        dictionaries.append(members)
        return .dictionary(dictionaries.count - 1)
    }
}

/// Memory of one element type that tensors look into; its bytes stand outside the pickle.
struct PickledStorage: Sendable, Equatable {
    /// The name under which the bytes are kept.
    var key: String
    /// The elements' type, nil where no tensor of ours can hold it.
    var elementType: ElementType?
    /// The name of the type in PyTorch.
    var typeName: String
    /// How many elements there are.
    var count: Int

    /// The values of the codes where the elements are numbers of eight bits, which are kept as bytes.
    var float8Values: [Float]? {
        Self.float8Types[typeName]?.float8Values
    }

    private static let float8Types: [String: SafetensorsType] = [
        "torch.float8_e4m3fn": .float8E4M3, "torch.float8_e5m2": .float8E5M2,
    ]
}

/// A tensor as a window of a storage.
struct PickledTensor: Sendable {
    var storage: Int
    var offset: Int
    var shape: [Int]
    var strides: [Int]
}

/// A class or function that a pickle names.
enum PickleGlobal: Sendable, Equatable {
    case orderedDictionary
    /// `torch.Size`, a tuple.
    case size
    case rebuildTensor
    /// A tensor of a type that has no storage of its own.
    case rebuildTypedTensor
    /// What gives its first argument back.
    case rebuildParameter
    case storage(ElementType?, String)
    /// Something that the reader has no use for.
    case other(String)

    /// The name as `module.name`.
    var name: String {
        switch self {
        case .orderedDictionary: "collections.OrderedDict"
        case .size: "torch.Size"
        case .rebuildTensor: "torch._utils._rebuild_tensor_v2"
        case .rebuildTypedTensor: "torch._utils._rebuild_tensor_v3"
        case .rebuildParameter: "torch._utils._rebuild_parameter"
        case .storage(_, let name), .other(let name): name
        }
    }

    /// The meaning of a name, nil where a checkpoint has no business with it.
    ///
    /// Nothing that is named is run, whatever it is. Names of training programs become placeholders; any
    /// other name means that the file wants to run something, and the file is refused.
    init?(module: String, name: String) {
        let full = "\(module).\(name)"
        let harmless = Self.isHarmless(module, name) ? PickleGlobal.other(full) : nil
        guard let meaning = Self.known[full] ?? Self.storage(module, name) ?? harmless else { return nil }
        self = meaning
    }

    private static let known: [String: PickleGlobal] = [
        "collections.OrderedDict": .orderedDictionary, "collections.defaultdict": .orderedDictionary,
        "torch.Size": .size, "torch._utils._rebuild_tensor_v2": .rebuildTensor,
        "torch._utils._rebuild_tensor": .rebuildTensor,
        "torch._utils._rebuild_tensor_v3": .rebuildTypedTensor,
        "torch._utils._rebuild_parameter": .rebuildParameter,
        "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
    ]

    private static func storage(_ module: String, _ name: String) -> PickleGlobal? {
        guard ["torch", "torch.cuda", "torch.storage"].contains(module), name.hasSuffix("Storage") else {
            return nil
        }
        return .storage(storageTypes[name], "\(module).\(name)")
    }

    private static let storageTypes: [String: ElementType] = [
        "FloatStorage": .float32, "DoubleStorage": .float64, "HalfStorage": .float16,
        "BFloat16Storage": .bfloat16, "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16,
        "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool,
    ]

    private static func isHarmless(_ module: String, _ name: String) -> Bool {
        let root = String(module.prefix { $0 != "." })
        if root == "builtins" || root == "__builtin__" { return plainTypes.contains(name) }
        return trainingModules.contains(root) || harmless.contains("\(module).\(name)")
    }

    private static let plainTypes: Set<String> = [
        "set", "frozenset", "list", "dict", "tuple", "int", "float", "str", "bool", "bytes", "bytearray",
        "complex", "slice", "range", "object", "long", "unicode",
    ]
    /// Where the classes come from that training programs leave in checkpoints beside the weights.
    private static let trainingModules: Set<String> = [
        "torch", "numpy", "pytorch_lightning", "lightning", "lightning_fabric", "omegaconf", "ldm", "taming",
        "sgm", "diffusers", "transformers", "accelerate", "guided_diffusion", "diffusion", "__main__",
    ]
    private static let harmless: Set<String> = [
        "argparse.Namespace", "types.SimpleNamespace", "typing.Any", "typing.Union", "collections.Counter",
        "collections.deque", "_codecs.encode", "copyreg._reconstructor", "copy_reg._reconstructor",
        "pathlib.PosixPath", "pathlib.PurePosixPath", "pathlib.WindowsPath", "datetime.datetime",
        "datetime.timedelta", "datetime.date", "decimal.Decimal", "fractions.Fraction", "uuid.UUID",
    ]
}

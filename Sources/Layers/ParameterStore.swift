import Storage
import Tensors

/// The state of a network: its parameters by name, in the order in which the network asks for them.
///
/// A network is a tree of structs built from a scope of this store (`Weights`). Where its parameters
/// come from is decided here and nowhere else: drawn anew, loaded, or shapes only. Optimizers, moving
/// averages, casting and saving work on the store and never walk the network.
public final class ParameterStore {
    /// Where parameters come from.
    public enum Origin {
        /// Drawn from a generator, as each parameter's initializer says.
        case initialized(RandomGenerator)
        /// Read from a source, under the names that the network gives.
        case loaded(any TensorSource)
        /// Shapes without memory, to count parameters of any network.
        case shapesOnly
        /// Shapes without memory, compared with what a source offers: what loading would complain about.
        case compared(any TensorSource)

        /// Whether parameters have shapes and no values.
        fileprivate var hasNoValues: Bool {
            switch self {
            case .shapesOnly, .compared: true
            case .initialized, .loaded: false
            }
        }
    }

    /// How the parameters will be used.
    public enum Purpose: Sendable {
        /// Parameters are the store's own and gradients are recorded for them.
        case training
        /// Parameters may share the memory of their file.
        case inference
    }

    private let origin: Origin
    private let purpose: Purpose
    let elementType: ElementType
    private let device: Device
    let matrices: MatrixFormat
    private let memoryFormat: MemoryFormat
    private let prepares: Bool

    /// The names, in the order in which the network asks.
    public private(set) var names: [String] = []
    /// Names of tensors that are saved and loaded like parameters, and are none: they are not counted.
    public private(set) var buffers: Set<String> = []
    private var table: [String: Tensor] = [:]
    private var quantized: [String: QuantizedMatrix] = [:]
    /// What became of every tensor.
    public private(set) var report = LoadReport()

    /// A store whose parameters come from `origin`, as `elementType` on `device`, and the matrices of
    /// linear layers in the form `matrices`.
    ///
    /// - Parameters:
    ///   - memoryFormat: how what is trained of rank 4, the weights of convolutions, lies in memory; the pictures then
    ///     had better lie so, too.
    ///   - prepares: whether layers pack their weights for the processor's kernels when they are first used, in
    ///     inference. It pays for a network that is called more than once or twice.
    /// - Precondition: what is trained is kept in full.
    public init(
        _ origin: Origin, purpose: Purpose = .inference, elementType: ElementType = .float32,
        on device: Device = .cpu, matrices: MatrixFormat = .full, memoryFormat: MemoryFormat = .contiguous,
        prepares: Bool = true
    ) {
        precondition(purpose == .inference || matrices == .full, "matrices are trained in full")
        self.origin = origin
        self.purpose = purpose
        self.elementType = elementType
        self.matrices = matrices
        self.memoryFormat = memoryFormat
        self.prepares = prepares && purpose == .inference && device.kind == .cpu
        self.device = origin.hasNoValues ? .meta : device
    }

    /// Builds a network from this store, and checks that every tensor on both sides found its place.
    /// - Throws: `LoadError` with the whole report; what `body` throws.
    public func build<Network>(_ body: (Weights) throws -> Network) throws -> Network {
        let network = try body(Weights(store: self, path: ""))
        switch origin {
        case .loaded(let source), .compared(let source): report.unused = unused(of: source)
        case .initialized, .shapesOnly: break
        }
        guard report.isComplete else {
            throw LoadError("the checkpoint does not fit the network: " + report.problems, report: report)
        }
        return network
    }

    /// The parameter of a name. A matrix in 8 bits is expanded, here and in all that follows.
    public subscript(name: String) -> Tensor? { table[name] ?? quantized[name]?.dequantized }

    /// All parameters, in the order of `names`; no gradients are recorded for constant ones.
    public var parameters: [Tensor] { names.map { self[$0]! } }

    /// All parameters with their names, in the order of `names`.
    public var named: [(String, Tensor)] { names.map { ($0, self[$0]!) } }

    /// The number of values in all parameters; a tensor that two layers share counts once.
    public var parameterCount: Int {
        names.reduce(0) { buffers.contains($1) ? $0 : $0 + shape(of: $1).elementCount }
    }

    /// The shape of a parameter that there is.
    func shape(of name: String) -> Shape { (table[name] ?? quantized[name]!.values).shape }

    /// The number of bytes of all parameters as they are kept.
    public var byteCount: Int { names.reduce(0) { $0 + (table[$1]?.byteCount ?? quantized[$1]!.byteCount) } }

    /// The parameters as a source, to build or save another network from.
    public var source: TensorDictionary { TensorDictionary(Dictionary(uniqueKeysWithValues: named)) }

    func parameter(
        _ name: String, _ shape: Shape, _ initializer: Initializer, as type: ElementType?,
        isTrained: Bool = true
    ) -> Tensor {
        let type = type ?? elementType
        var tensor = Tensor.empty(shape, type, on: device)
        noting(name) {
            if let found = try found(name, shape, initializer) {
                let cast = found.to(type).to(device)
                // A file whose numbers were copied need not stay in memory.
                if cast.elementType != found.elementType || cast.device != found.device {
                    found.forgetMappedPages()
                }
                // Training writes into its parameters: never into memory that a file or another store owns.
                tensor = purpose == .training ? cast.copied() : cast.laidOutForInference
                if purpose == .training && shape.rank == 4 { tensor = tensor.contiguous(memoryFormat) }
            }
            if purpose == .training && isTrained { try tensor.setRequiresGradient(true) }
        }
        table[name] = tensor
        return tensor
    }

    func matrix(_ name: String, _ shape: Shape, _ initializer: Initializer, as type: ElementType?) -> Matrix {
        guard matrices == .int8 else {
            let tensor = parameter(name, shape, initializer, as: type)
            let isPrepared = isPrepared(as: type) && PreparedWeights.canPack(shape, type ?? elementType)
            return isPrepared ? .prepared(PreparedWeights(tensor, matrices)) : .plain(tensor)
        }
        let type = type ?? elementType
        var matrix = QuantizedMatrix(shapeOnly: shape, for: type)
        noting(name) {
            if let found = try found(name, shape, initializer) {
                matrix = QuantizedMatrix(found, for: type).to(device)
                try matrix.values.rethrow()
                found.forgetMappedPages()
            }
        }
        quantized[name] = matrix
        return .quantized(matrix)
    }

    /// Whether layers pack weights of an element type, the store's own where `nil`.
    func isPrepared(as type: ElementType?) -> Bool {
        guard !origin.hasNoValues else { return false }
        return prepares && Kernels.serve(type ?? elementType)
    }

    /// Adds a name to the store's, and what goes wrong with it to the report.
    private func noting(_ name: String, _ body: () throws -> Void) {
        precondition(self[name] == nil, "the network asks twice for the parameter '\(name)'")
        names.append(name)
        do { try body() } catch { report.unreadable.append("\(quoted(name)) (\(error))") }
    }

    /// The values of a parameter as they come; nil where there are none.
    private func found(_ name: String, _ shape: Shape, _ initializer: Initializer) throws -> Tensor? {
        switch origin {
        case .shapesOnly: return nil
        case .initialized(let generator):
            // Drawn in float32 on the processor, so that a seed gives the same network everywhere.
            let tensor = Tensor.empty(shape)
            try initializer.fill(tensor, generator)
            return tensor
        case .loaded(let source): return try loaded(name, shape, source)
        case .compared(let source):
            try compare(name, shape, source)
            return nil
        }
    }

    func buffer(_ name: String, _ shape: Shape, _ initializer: Initializer, as type: ElementType?) -> Tensor {
        buffers.insert(name)
        return parameter(name, shape, initializer, as: type, isTrained: false)
    }

    private func loaded(_ name: String, _ shape: Shape, _ source: any TensorSource) throws -> Tensor? {
        guard isOffered(name, shape, by: source) else { return nil }
        let tensor = try source.tensor(named: name)
        try tensor.rethrow()
        try checkFloating(tensor.elementType)
        report.used.append(name)
        return tensor
    }

    private func compare(_ name: String, _ shape: Shape, _ source: any TensorSource) throws {
        guard isOffered(name, shape, by: source) else { return }
        // A type that cannot be held is what the source itself complains about.
        try checkFloating(source.elementType(of: name) ?? source.tensor(named: name).elementType)
        report.used.append(name)
    }

    /// Whether a source has a tensor of a shape; what is wrong goes into the report.
    private func isOffered(_ name: String, _ shape: Shape, by source: any TensorSource) -> Bool {
        guard let found = source.shape(of: name) else {
            report.missing.append(name)
            return false
        }
        guard found == shape else {
            report.wrongShapes.append(.init(name: name, found: found, needed: shape))
            return false
        }
        return true
    }

    private func checkFloating(_ type: ElementType) throws {
        guard type.isFloatingPoint else {
            throw LoadError("it holds \(type.name), and a parameter is a floating-point number")
        }
    }
}

extension Tensor {
    /// On CUDA, the weights of a convolution with channels innermost, the layout its fastest algorithms read.
    fileprivate var laidOutForInference: Tensor {
        device.kind == .cuda && rank == 4 ? contiguous(.channelsLast) : self
    }
}

/// A scope of a store: the place in the tree of names from which a layer takes its parameters.
///
///     let convolution = Convolution2D(inputs: 3, outputs: 128, kernel: 3, weights["conv_in"])
public struct Weights {
    let store: ParameterStore
    /// The dotted path of this scope, empty at the root.
    public let path: String
    /// The element type of this scope's parameters, where it is not the store's.
    let type: ElementType?

    init(store: ParameterStore, path: String, type: ElementType? = nil) {
        self.store = store
        self.path = path
        self.type = type
    }

    /// What the parameters of this scope are.
    public var elementType: ElementType { type ?? store.elementType }

    /// Whether layers of this scope pack their weights for kernels.
    var isPrepared: Bool { store.isPrepared(as: type) }

    /// This scope with parameters in `float32` where the store's are `float16`, whose numbers end at
    /// 65,504: for layers whose results do not.
    public var avoidingFloat16: Weights {
        elementType == .float16 ? inFloat32 : self
    }

    /// How matrices are kept.
    var matrices: MatrixFormat { store.matrices }

    /// This scope with parameters in `float32`.
    var inFloat32: Weights { Weights(store: store, path: path, type: .float32) }

    /// The scope of a part.
    public subscript(name: String) -> Weights { Weights(store: store, path: full(name), type: type) }

    /// The scope of a numbered part: `down_blocks.0`.
    public subscript(index: Int) -> Weights { self[String(index)] }

    /// The parameter of a name in this scope.
    ///
    /// A parameter that is missing or does not fit is noted in the store's report, which
    /// `ParameterStore.build` throws; meanwhile a tensor of the needed shape stands in.
    public func parameter(_ name: String, _ shape: Shape, _ initializer: Initializer) -> Tensor {
        store.parameter(full(name), shape, initializer, as: type)
    }

    /// A parameter that is saved and loaded like the others and never trained: no gradient is recorded.
    public func constant(_ name: String, _ shape: Shape, _ initializer: Initializer) -> Tensor {
        store.parameter(full(name), shape, initializer, as: type, isTrained: false)
    }

    /// The matrix of a linear layer, `[outputs, inputs]`, in the form in which the store keeps such.
    package func matrix(_ name: String, _ shape: Shape, _ initializer: Initializer) -> Matrix {
        store.matrix(full(name), shape, initializer, as: type)
    }

    private func full(_ name: String) -> String { path.isEmpty ? name : path + "." + name }

    /// A tensor that belongs to the network and follows from its configuration: saved and loaded like a
    /// parameter, neither trained nor counted.
    public func buffer(_ name: String, _ shape: Shape, _ initializer: Initializer) -> Tensor {
        store.buffer(full(name), shape, initializer, as: type)
    }
}

import Checkpoints
import Layers
import Networks
import Storage
import Tensors

/// The layers of a network as a tree: what each is, the shape of its output, and its parameters.
///
/// Shapes are those of one example of the network's own size. They come from a pass with zeros in place of the weights,
/// which need not be there; a network of more than `largestPass` parameters is listed without them.
public struct LayerTable: Encodable, Sendable {
    /// A module or a layer.
    public struct Row: Encodable, Sendable, Equatable {
        /// Its path in the network.
        public let name: String
        /// How deep it stands, from 0.
        public let depth: Int
        /// What a layer is: `Linear`, `Conv2d` …; absent for a module of several.
        public var kind: String?
        /// The shape of a layer's output where it runs first; absent for modules, and where it cannot be known.
        public var output: [Int]?
        /// The values of its parameters and of all below it.
        public var parameters: Int
    }

    /// The most parameters of a network that is run for the shapes of its outputs.
    public static let largestPass = 100_000_000

    /// The rows, each module before what is in it.
    public let rows: [Row]
    /// The values of all parameters.
    public let parameters: Int

    /// The table of the network that a `config.json` describes.
    /// - Throws: `CheckpointError` or `NetworkError` that names what will not do.
    public init(_ object: JSONObject) throws {
        let network = try KnownNetworks.network(of: object)
        let (store, outputs) = try network.layers(object)
        var tree = Tree()
        for name in store.names where !store.buffers.contains(name) {
            guard let parameter = store[name] else { continue }
            tree.add(parameter.shape, at: name.split(separator: ".").dropLast().map(String.init))
        }
        for output in outputs { tree.add(output, at: output.layer.split(separator: ".").map(String.init)) }
        rows = tree.rows
        parameters = store.parameterCount
    }
}

/// Modules by name, in the order in which they are first named.
private struct Tree {
    private var children: [(name: String, tree: Tree)] = []
    private var own: LayerWatch.Output?
    private var shapes: [Shape] = []
    private var count = 0

    mutating func add(_ parameter: Shape, at path: some Collection<String>) {
        count += parameter.elementCount
        guard let first = path.first else {
            shapes.append(parameter)
            return
        }
        change(first) { $0.add(parameter, at: path.dropFirst()) }
    }

    /// Notes the first result of a layer; one without parameters is no row.
    mutating func add(_ output: LayerWatch.Output, at path: some Collection<String>) {
        guard let first = path.first else {
            if own == nil { own = output }
            return
        }
        guard children.contains(where: { $0.name == first }) else { return }
        change(first) { $0.add(output, at: path.dropFirst()) }
    }

    private mutating func change(_ name: String, _ body: (inout Tree) -> Void) {
        if let index = children.firstIndex(where: { $0.name == name }) {
            body(&children[index].tree)
        } else {
            var tree = Tree()
            body(&tree)
            children.append((name, tree))
        }
    }

    var rows: [LayerTable.Row] { children.flatMap { $0.tree.rows(named: $0.name, path: $0.name, depth: 0) } }

    private func rows(named name: String, path: String, depth: Int) -> [LayerTable.Row] {
        let row = LayerTable.Row(
            name: path, depth: depth, kind: own?.kind ?? guessedKind, output: own?.shape.extents,
            parameters: count)
        return [row]
            + children.flatMap { $0.tree.rows(named: $0.name, path: "\(path).\($0.name)", depth: depth + 1) }
    }

    /// What a layer is that was not seen to run, by the shape of its weight.
    private var guessedKind: String? {
        guard children.isEmpty, let weight = shapes.first else { return nil }
        return [1: "Norm", 2: "Linear", 4: "Conv2d"][weight.rank]
    }
}

extension ConfiguredNetwork {
    /// The network in shapes alone, and what its layers give for one example; nothing where it has no pass of that kind.
    fileprivate static func layers(_ object: JSONObject) throws -> (ParameterStore, [LayerWatch.Output]) {
        let store = try shapes(object)
        guard store.parameterCount <= LayerTable.largestPass else { return (store, []) }
        // Rows and columns of one zero: they take no memory.
        let zeros = store.named.map { name, parameter in
            (name, Tensor.zeros([1], .float32).expanded(to: parameter.shape))
        }
        let source = TensorDictionary(Dictionary(uniqueKeysWithValues: zeros))
        let configuration = try configuration(object)
        let network = try ParameterStore(.loaded(source), prepares: false).build {
            try Self(configuration, $0)
        }
        var example: (() -> Void)?
        if let network = network as? any DenoisingNetwork { example = { network.passExample(object) } }
        if let network = network as? any LatentAutoencoder { example = { network.passExample(object) } }
        if let network = network as? CLIPText { example = { _ = network(tokens(77)).states() } }
        if let network = network as? CLIPTextWithProjection { example = { _ = network(tokens(77)) } }
        if let network = network as? T5Encoder { example = { _ = network(tokens(256)) } }
        guard let example else { return (store, []) }
        let outputs = inference { LayerWatch.outputs(in: example) }
        return (store, outputs)
    }

    private static func tokens(_ count: Int) -> Tensor { .zeros([1, count], .int64) }
}

extension DenoisingNetwork {
    /// Passes one example of the network's own size.
    fileprivate func passExample(_ object: JSONObject) {
        guard let traits = try? NetworkConfiguration(object).traits else { return }
        // Conditions whose form the configuration does not say.
        let hasOpenLabels = traits.labels.map { $0.isRequired && $0.count == nil } ?? false
        guard !hasOpenLabels, traits.context.map({ $0.width != nil }) ?? true else { return }
        func numbers(_ extents: Int...) -> Tensor { .zeros(Shape(extents), .float32) }
        let side = (32 + traits.sizeMultiple - 1) / traits.sizeMultiple * traits.sizeMultiple
        let size = traits.pictureSize ?? (side, side)
        let x =
            traits.sample == .point
            ? numbers(1, traits.channels) : numbers(1, traits.channels, size.height, size.width)
        var conditions = Conditions()
        if traits.labels?.isRequired == true { conditions[.labels] = .zeros([1], .int64) }
        if let width = traits.context?.width { conditions[.context] = numbers(1, 77, width) }
        if let pooled = traits.pooled, traits.numbers == nil {
            conditions[.pooledText] = numbers(1, pooled.width ?? 1)
        }
        if let embedded = traits.numbers {
            // Sizes, crops and target sizes are six numbers, a score in place of the last two makes five.
            let count = [6, 5].first { embedded.total - $0 * embedded.width > 0 } ?? 6
            conditions[.numbers] = numbers(1, count)
            conditions[.pooledText] = numbers(1, embedded.total - count * embedded.width)
        }
        if let width = traits.guidanceWidth { conditions[.guidance] = numbers(1, width) }
        _ = self(x, time: numbers(1), conditions, dropout: nil)
    }
}

extension LatentAutoencoder {
    /// Passes one small picture there and back.
    fileprivate func passExample(_ object: JSONObject) {
        func size(_ key: String) -> Int? { (try? object.optional(key, as: Int.self)) ?? nil }
        let side = 8 * pixelsPerLatent
        let pictures = Tensor.zeros([1, size("in_channels") ?? 3, side, side], .float32)
        _ = decode(latents(of: pictures) { .zeros($0, .float32) })
    }
}

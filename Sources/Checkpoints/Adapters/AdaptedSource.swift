import Layers
import Storage
import Tensors

/// The tensors of a network with the changes of adapters in them.
///
/// What is changed comes in float32 where the file holds less, because a small change is lost in half precision.
public struct AdaptedSource: TensorSource {
    /// A change of some tensors of the network, which the file may hold as one.
    public struct Application: Sendable {
        let change: AdapterChange
        /// The layers that it changes, in the order in which they lie under each other in the file's form.
        let layers: [AdapterPlaces.Place]
        let strength: Double
    }

    private let source: any TensorSource
    private let changed: [String: [(application: Application, index: Int)]]
    private let biases: [String: [Application]]

    /// - Throws: `CheckpointError` where a change is of a bias that the layer does not have.
    public init(_ source: any TensorSource, _ applications: [Application]) throws {
        self.source = source
        var changed: [String: [(Application, Int)]] = [:]
        var biases: [String: [Application]] = [:]
        // Strength 0 is no change, to the last bit.
        for application in applications where application.strength != 0 {
            for (index, layer) in application.layers.enumerated() {
                changed[layer.name + ".weight", default: []].append((application, index))
            }
            guard application.change.biasChange != nil, let layer = application.layers.first else { continue }
            let name = layer.name + ".bias"
            guard application.layers.count == 1, source.shape(of: name) != nil else {
                throw CheckpointError(
                    "",
                    "\(quoted(application.change.layer)) changes a bias, and \(quoted(layer.name)) has none")
            }
            biases[name, default: []].append(application)
        }
        (self.changed, self.biases) = (changed, biases)
    }

    /// Those of the original source.
    public var names: [String] { source.names }
    /// Those of the original source.
    public var files: [String] { source.files }
    /// That of the original source.
    public func shape(of name: String) -> Shape? { source.shape(of: name) }

    /// float32 at least where a tensor is changed.
    public func elementType(of name: String) -> ElementType? {
        let type = source.elementType(of: name)
        guard isChanged(name) else { return type }
        return type == .float64 ? type : .float32
    }

    private func isChanged(_ name: String) -> Bool { changed[name] != nil || biases[name] != nil }

    /// The changes as layers compute them beside their weights. Plain low-rank ones stay so; of all others the difference that
    /// they make is taken.
    /// - Throws: what the original source throws; `CheckpointError` where a change does not fit.
    public func changes(in type: ElementType, on device: Device) throws -> LayerChanges {
        let prepares = device.kind == .cpu && Kernels.serve(type)
        var found: [String: LayerChange] = [:]
        let ends = [".weight", ".bias"]
        let layers = Set(
            (Array(changed.keys) + Array(biases.keys)).map { name in
                ends.first(where: name.hasSuffix).map { String(name.dropLast($0.count)) } ?? name
            })
        for layer in layers {
            let (name, biasName) = (layer + ".weight", layer + ".bias")
            let bias = try biases[biasName] == nil ? nil : difference(biasName).to(type).to(device)
            let (first, second) = try factors(name, type) ?? (difference(name).to(type), nil)
            found[layer] = LayerChange(
                of: layer, first.to(device), then: second?.to(device), bias: bias, prepares: prepares)
        }
        return LayerChanges(found)
    }

    /// What the changes of a tensor make of it, less the tensor.
    private func difference(_ name: String) throws -> Tensor {
        let changed = try tensor(named: name)
        return try changed - source.tensor(named: name).to(changed.elementType)
    }

    /// The factors of all changes of a weight, one under and beside the other; `nil` where one has other factors.
    private func factors(_ name: String, _ type: ElementType) throws -> (Tensor, Tensor?)? {
        guard let shape = source.shape(of: name) else { return nil }
        let all = try (changed[name] ?? []).map { application, _ in
            application.layers.count > 1
                ? nil : try application.change.lowRank(shape, strength: application.strength, type)
        }
        let known = all.compactMap(\.self)
        guard !known.isEmpty, known.count == all.count else { return nil }
        return (concatenated(known.map(\.down)), concatenated(known.map(\.up), along: 1))
    }

    /// The tensor with all changes, in the order in which adapters were given.
    /// - Throws: what the original source throws; `CheckpointError` where a change does not fit.
    public func tensor(named name: String) throws -> Tensor {
        var tensor = try source.tensor(named: name)
        guard isChanged(name), let type = elementType(of: name) else { return tensor }
        tensor = tensor.to(type)
        for (application, index) in changed[name] ?? [] {
            let (layers, strength) = (application.layers, application.strength)
            guard layers.count > 1 else {
                tensor = try application.change.applied(to: tensor, strength: strength)
                continue
            }
            // The file's form holds several layers as one: its change is made whole, and this layer's part seen in it.
            let whole = try layers.enumerated().map { place, layer in
                place == index ? tensor : try source.tensor(named: layer.name + ".weight").to(type)
            }
            let result = try application.change.applied(to: concatenated(whole), strength: strength)
            tensor = layers[index].view(result)
        }
        for application in biases[name] ?? [] {
            guard let change = application.change.biasChange?.to(type), change.shape == tensor.shape else {
                throw CheckpointError(
                    "", "the bias of \(quoted(application.change.layer)) does not fit \(quoted(name))")
            }
            tensor = tensor + change * application.strength
        }
        try tensor.rethrow()
        return tensor
    }
}

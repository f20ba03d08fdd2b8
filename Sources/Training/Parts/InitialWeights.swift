import Checkpoints
import Diffusion
import Layers
import Networks
import Pipelines
import Storage
import Tensors

/// The weights of an earlier model that training begins from: of a run folder, a folder in the diffusers layout, or one
/// `.safetensors` file, in its family's original layout or under the network's own names, as checkpoints have them. Tables
/// of the places of patches are brought to the size of the new pictures (`PlaceTable`).
package struct InitialWeights {
    private let path: String
    private let type: any DenoisingNetwork.Type
    /// What the model has, by the scope of its parameters; the network's is empty.
    private let sources: [String: any TensorSource]

    /// The parts that are trained along, by the scope under which their parameters stand in checkpoints.
    private static let scopes: [String: (component: ModelComponent, type: any ConfiguredNetwork.Type)] = [
        TextPlan.scope: (.textEncoder, CLIPText.self),
        ClassTokenConditioner.scope: (.classEmbedder, ClassEmbedder.self),
    ]

    /// Opens a model. Its weights are mapped, none of them is read.
    /// - Parameters:
    ///   - parameters: the names and shapes that are to be filled, those of parts that are trained along under their
    ///     scopes.
    ///   - prediction: what the network will predict, which many files leave open.
    /// - Throws: `RecipeError` where a parameter is missing or has another shape; `PipelineError` or `CheckpointError`
    ///   where the model cannot be opened.
    package init(
        _ path: String, for type: any DenoisingNetwork.Type, parameters: [(name: String, shape: Shape)],
        predicting prediction: Prediction?
    ) throws {
        (self.path, self.type) = (path, type)
        if let file = try Self.plainFile(path), let own = try? type.native(Scoped(file, "")),
            parameters.allSatisfy({ !Self.scope(of: $0.name).isEmpty || own.shape(of: $0.name) != nil })
        {
            let parts = Self.scopes.keys.map { ($0, Scoped(file, $0) as any TensorSource) }
            sources = Dictionary(uniqueKeysWithValues: parts + [("", own)])
        } else {
            let source = try ModelSource(path, prediction: prediction)
            var found = ["": try type.native(source.weights(of: source.assembly.networkComponent))]
            for (scope, part) in Self.scopes where try source.has(part.component) {
                found[scope] = try part.type.native(source.weights(of: part.component))
            }
            sources = found
        }
        for (name, shape) in parameters { try check(name, shape) }
    }

    /// A file of tensors by name; `nil` where there is a folder, or something else.
    private static func plainFile(_ path: String) throws -> (any TensorSource)? {
        guard Files.exists(path), !Files.isFolder(path), try !CheckpointFormat(of: path).isPickled else {
            return nil
        }
        return try plainTensors(of: path)
    }

    /// The scope of a parameter, empty for the network's own.
    private static func scope(of name: String) -> String {
        scopes.keys.first { name.hasPrefix($0 + ".") } ?? ""
    }

    /// The source of a parameter and its name there; `nil` where the model does not have that part.
    private func place(of name: String) -> (source: any TensorSource, name: String)? {
        let scope = Self.scope(of: name)
        return sources[scope].map { ($0, scope.isEmpty ? name : String(name.dropFirst(scope.count + 1))) }
    }

    private func check(_ name: String, _ shape: Shape) throws {
        guard let (source, own) = place(of: name), source.shape(of: own) != shape else { return }
        guard !isResized(name, source.shape(of: own), to: shape) else { return }
        let found = source.shape(of: own).map { "is \($0) there" } ?? "is not there"
        throw RecipeError(
            "model.from is \(quoted(path)): the parameter \(own) of shape \(shape) \(found); give a model of the same network."
        )
    }

    /// Takes the weights over; a part that the model does not have keeps its own.
    /// - Throws: errors that name a file.
    package func assign(to store: ParameterStore) throws {
        for (name, parameter) in store.named {
            guard let (source, own) = place(of: name) else { continue }
            let tensor = try source.tensor(named: own)
            let table = tensor.shape == parameter.shape ? nil : type.placeTable(named: name)
            try parameter.assign(table?.resized(tensor, to: parameter.shape) ?? tensor)
        }
    }

    /// Whether a parameter is a table of places for pictures of another size.
    private func isResized(_ name: String, _ found: Shape?, to shape: Shape) -> Bool {
        guard let found, let table = type.placeTable(named: name) else { return false }
        return table.converts(found, to: shape)
    }

    /// The tensors of a checkpoint in one scope, under the names there.
    private struct Scoped: TensorSource {
        private let file: any TensorSource
        private let prefix: String
        let names: [String]

        init(_ file: any TensorSource, _ scope: String) {
            self.file = file
            let prefix = scope.isEmpty ? "" : scope + "."
            self.prefix = prefix
            names = file.names.filter { InitialWeights.scope(of: $0) == scope }
                .map { String($0.dropFirst(prefix.count)) }
        }

        var files: [String] { file.files }
        func shape(of name: String) -> Shape? { file.shape(of: prefix + name) }
        func elementType(of name: String) -> ElementType? { file.elementType(of: prefix + name) }
        func tensor(named name: String) throws -> Tensor { try file.tensor(named: prefix + name) }
    }
}

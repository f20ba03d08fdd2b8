import Checkpoints
import Diffusion
import Layers
import Networks
import Pipelines
import Storage
import Tensors

/// The weights of an earlier model that training begins from: of a run folder, a folder in the diffusers layout, or one
/// `.safetensors` file, in its family's original layout or under the network's own names, as checkpoints have them.
package struct InitialWeights {
    private let path: String
    private let network: any TensorSource
    /// The text encoder's, where the model has one.
    private let encoder: (any TensorSource)?

    /// Opens a model. Its weights are mapped, none of them is read.
    /// - Parameters:
    ///   - parameters: the names and shapes that are to be filled, those of a text encoder that is trained along under
    ///     `TextPlan.scope`.
    ///   - prediction: what the network will predict, which many files leave open.
    /// - Throws: `RecipeError` where a parameter is missing or has another shape; `PipelineError` or `CheckpointError`
    ///   where the model cannot be opened.
    package init(
        _ path: String, for type: any DenoisingNetwork.Type, parameters: [(name: String, shape: Shape)],
        predicting prediction: Prediction?
    ) throws {
        self.path = path
        if let file = try Self.plainFile(path), let own = try? type.native(Scoped(file, isText: false)),
            parameters.allSatisfy({ Self.isText($0.name) || own.shape(of: $0.name) != nil })
        {
            network = own
            encoder = Scoped(file, isText: true)
        } else {
            let source = try ModelSource(path, prediction: prediction)
            network = try type.native(source.weights(of: source.assembly.networkComponent))
            encoder =
                try source.has(.textEncoder) ? CLIPText.native(source.weights(of: .textEncoder)) : nil
        }
        for (name, shape) in parameters { try check(name, shape) }
    }

    /// A file of tensors by name; `nil` where there is a folder, or something else.
    private static func plainFile(_ path: String) throws -> SafetensorsFile? {
        guard Files.exists(path), !Files.isFolder(path), try !CheckpointFormat(of: path).isPickled else {
            return nil
        }
        return try SafetensorsFile(path: path)
    }

    private static let textPrefix = TextPlan.scope + "."
    private static func isText(_ name: String) -> Bool { name.hasPrefix(textPrefix) }

    /// The source of a parameter and its name there; `nil` where the model has no text encoder.
    private func place(of name: String) -> (source: any TensorSource, name: String)? {
        guard Self.isText(name) else { return (network, name) }
        return encoder.map { ($0, String(name.dropFirst(Self.textPrefix.count))) }
    }

    private func check(_ name: String, _ shape: Shape) throws {
        guard let (source, own) = place(of: name), source.shape(of: own) != shape else { return }
        let found = source.shape(of: own).map { "is \($0) there" } ?? "is not there"
        throw RecipeError(
            "model.from is \(quoted(path)): the parameter \(own) of shape \(shape) \(found); give a model of the same network."
        )
    }

    /// Takes the weights over; a text encoder that the model does not have keeps its own.
    /// - Throws: errors that name a file.
    package func assign(to store: ParameterStore) throws {
        for (name, parameter) in store.named {
            guard let (source, own) = place(of: name) else { continue }
            try parameter.assign(source.tensor(named: own))
        }
    }

    /// The tensors of a checkpoint that are the text encoder's, under its own names, or those that are not.
    private struct Scoped: TensorSource {
        private let file: any TensorSource
        private let prefix: String
        let names: [String]

        init(_ file: any TensorSource, isText: Bool) {
            self.file = file
            prefix = isText ? textPrefix : ""
            names = file.names.filter { InitialWeights.isText($0) == isText }
                .map { String($0.dropFirst(isText ? textPrefix.count : 0)) }
        }

        var files: [String] { file.files }
        func shape(of name: String) -> Shape? { file.shape(of: prefix + name) }
        func elementType(of name: String) -> ElementType? { file.elementType(of: prefix + name) }
        func tensor(named name: String) throws -> Tensor { try file.tensor(named: prefix + name) }
    }
}

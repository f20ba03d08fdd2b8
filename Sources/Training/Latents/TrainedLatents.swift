import Checkpoints
import Diffusion
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors

/// The model of a run on latents: a whole pipeline in the diffusers layout, with the autoencoder and what conditions are
/// made by, and sheets of decoded pictures.
struct TrainedLatents: TrainingOutput {
    let recipe: Recipe
    let configuration: NetworkConfiguration
    let process: Diffusion.Process
    let card: ModelCard
    let autoencoder: StoredAutoencoder
    let text: TextPlan?
    /// The table of classes that the network attends to, where it is trained along.
    let classTable: ClassEmbedderConfiguration?
    /// The captions of the data, of which a sheet shows the first ones.
    let captions: [String]
    let device: Device

    var metadata: [String: String] {
        get throws { ["format": "pt", "config": JSONValue.object(try configuration.json()).text] }
    }

    func write(_ parameters: [(String, Tensor)], to path: String) throws {
        let model = try parts(of: TensorDictionary(Dictionary(uniqueKeysWithValues: parameters)))
        try ModelLayout.replacing(path) { aside in
            try ModelLayout(aside).write(model, writeTokenizer: text?.writeTokenizer)
        }
    }

    func sheet(_ parameters: TensorDictionary) throws -> Picture? {
        let run = try model(of: parameters).run(request)
        return try Picture.sheet(of: run.pictures())
    }

    /// The samples of a sheet.
    var request: Request { recipe.sheetRequest(card, captions: text == nil ? nil : captions) }

    /// The model of parameters.
    func model(of parameters: TensorDictionary) throws -> Model {
        var options = ModelOptions()
        options.device = device
        return try Model(ModelSource(parts(of: parameters)), options)
    }

    /// The parts of the model, those that are trained made of parameters.
    private func parts(of parameters: TensorDictionary) throws -> ModelParts {
        guard
            let (family, index) = Assemblies.trained(configuration.type, card, isText: text != nil)
        else { preconditionFailure("a \(configuration.className) does not diffuse latents") }
        var model = ModelParts(
            name: "the model", index: index,
            process: process.ofLatents(sampledBy: recipe.evaluation.solver), card: card)
        model.parts[family.networkComponent] = .init(
            configuration.type, json: try configuration.json(),
            Self.scope("", of: parameters, apartFrom: [TextPlan.scope, ClassTokenConditioner.scope]),
            library: configuration.library)
        let autoencoder = try autoencoder.withoutShift()
        model.parts[family.autoencoderComponent] = .init(
            autoencoder.configuration.type, json: autoencoder.json, autoencoder.weights)
        if let text {
            let weights =
                try text.isTrained ? Self.scope(TextPlan.scope, of: parameters) : text.weights()
            model.parts[.textEncoder] = try .init(CLIPText.self, text.configuration, weights)
            model.tokenizer = text.tokenizer
        }
        if let classTable {
            model.parts[.classEmbedder] = .init(
                ClassEmbedder.self, json: try ClassEmbedder.json(classTable),
                Self.scope(ClassTokenConditioner.scope, of: parameters), library: "langevin")
        }
        return model
    }

    /// Parameters in a scope under their names there.
    private static func scope(_ scope: String, of all: TensorDictionary, apartFrom others: [String] = [])
        -> TensorDictionary
    {
        let prefix = scope.isEmpty ? "" : scope + "."
        let own = all.tensors.filter { entry in
            entry.key.hasPrefix(prefix) && !others.contains { entry.key.hasPrefix($0 + ".") }
        }
        return TensorDictionary(
            Dictionary(uniqueKeysWithValues: own.map { (String($0.key.dropFirst(prefix.count)), $0.value) }))
    }
}

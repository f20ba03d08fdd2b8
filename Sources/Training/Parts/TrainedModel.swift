import Checkpoints
import Diffusion
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors

/// The model of a recipe's run: a folder in the diffusers layout, and sheets of samples.
struct TrainedModel: TrainingOutput {
    let recipe: Recipe
    let configuration: NetworkConfiguration
    let process: Diffusion.Process
    let card: ModelCard
    let text: TextPlan?
    /// A text encoder that stays as it is.
    let frozen: CLIPText?
    /// The captions of the data, of which a sheet shows the first ones.
    let captions: [String]
    let device: Device
    /// What a network that enlarges pictures makes its sheets of, a picture for each of a sheet.
    var smallPictures: Tensor?

    private static let prefix = TextPlan.scope + "."

    var metadata: [String: String] {
        get throws { ["format": "pt", "config": JSONValue.object(try configuration.json()).text] }
    }

    func write(_ parameters: [(String, Tensor)], to path: String) throws {
        let own = parameters.filter { !$0.0.hasPrefix(Self.prefix) }
        try ModelLayout.replacing(path) { path in
            let layout = ModelLayout(path)
            try layout.write(configuration, process: process, card: card, parameters: own)
            guard let text else { return }
            guard !text.isInNetwork else { return try text.writeTokenizer(to: layout.tokenizerPath) }
            try layout.write(
                textEncoder: text.configuration, try textParameters(parameters),
                writeTokenizer: text.writeTokenizer)
        }
    }

    /// The parameters of the text encoder under its own names.
    private func textParameters(_ parameters: [(String, Tensor)]) throws -> [(String, Tensor)] {
        guard let text, let folder = text.folder else {
            return parameters.filter { $0.0.hasPrefix(Self.prefix) }
                .map { (String($0.0.dropFirst(Self.prefix.count)), $0.1) }
        }
        let store = ParameterStore(.loaded(try CLIPText.weights(of: folder)))
        _ = try store.build { try CLIPText(text.configuration, $0) }
        return store.named
    }

    /// The model of networks that are built. One whose layers pack their weights is another one once training has changed
    /// them.
    func model(_ network: any NoiseNetwork, _ encoder: CLIPText?) -> Model {
        var model = PixelAssembly(
            name: "the model", configuration: configuration, process: process, card: card,
            network: network, device: device)
        model.text = text?.prompts(encoder, for: configuration.traits)
        return Model(model)
    }

    /// The model with given weights.
    private func opened(_ parameters: TensorDictionary) throws -> Model {
        func source(_ isWanted: (String) -> Bool) -> TensorDictionary {
            TensorDictionary(parameters.tensors.filter { isWanted($0.key) })
        }
        let store = ParameterStore(.loaded(source { !$0.hasPrefix(Self.prefix) }), on: device)
        let encoder = try text.flatMap { plan in
            try plan.isTrainedBeside ? trainedEncoder(plan, source { $0.hasPrefix(Self.prefix) }) : frozen
        }
        return model(try store.build(configuration.network), encoder)
    }

    private func trainedEncoder(_ text: TextPlan, _ source: TensorDictionary) throws -> CLIPText {
        try ParameterStore(.loaded(source), on: device).build {
            try CLIPText(text.configuration, $0[TextPlan.scope])
        }
    }

    /// The samples of a sheet.
    func request() -> Request {
        var request = recipe.sheetRequest(card, captions: text == nil ? nil : captions)
        request.reference = smallPictures.map(Request.Reference.latents)
        return request
    }

    func sheet(_ parameters: TensorDictionary) throws -> Picture? {
        let run = try opened(parameters).run(request())
        guard run.settings[0].pictureShape != nil else { return try PointSheet(run.samples()).picture() }
        return try Picture.sheet(of: run.pictures())
    }
}

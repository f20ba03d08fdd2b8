import Checkpoints
import Datasets
import Layers
import Networks
import Pipelines
import Storage
import Tensors
import Tokenizers

/// The CLIP of a recipe, which stays as it is: what unCLIP's priors and decoders learn the embeddings of.
struct CLIPPlan {
    let text: CLIPTextWithProjection
    let vision: CLIPVisionWithProjection
    let tokenizer: CLIPTokenizer
    private let textStore: ParameterStore
    private let visionStore: ParameterStore
    private let statistics: ChannelStatistics
    private let folder: ModelFolder
    private let device: Device

    /// Opens the CLIP of `model.clip`: a run of model.kind clip, or a folder in the layout of transformers.
    /// - Throws: `RecipeError` that names the key.
    init(_ recipe: Recipe, on device: Device) throws {
        let given = recipe.model.clip ?? ""
        let path = [given + "/model", given].first { Files.exists($0 + "/config.json") }
        guard let path else {
            throw RecipeError(
                "model.clip is \(quoted(given)): there is no config.json of a CLIP; give a run of model.kind clip, or a folder of CLIPModel."
            )
        }
        do {
            try self.init(folder: ModelFolder(path), on: device)
        } catch let error as PipelineError {
            throw RecipeError("model.clip: \(error)")
        } catch let error as CheckpointError {
            throw RecipeError("model.clip: \(error)")
        } catch let error as LoadError {
            throw RecipeError("model.clip: \(error)")
        } catch let error as TokenizerError {
            throw RecipeError("model.clip: \(error)")
        }
        let states = text.configuration.hiddenSize
        guard states == features || !recipe.model.kind.needsEqualWidths else {
            throw RecipeError(
                "model.clip: its texts have \(states) features a token (text_hidden_size) and its embeddings \(features) (projection_dim), and diffusers' layout of model.kind \(recipe.model.kind.word) has one width for both: train a CLIP with equal ones."
            )
        }
    }

    private init(folder: ModelFolder, on device: Device) throws {
        (self.folder, self.device) = (folder, device)
        let name = try KnownNetworks.name(in: folder.configuration())
        guard name == CLIP.className else {
            throw PipelineError("\(folder.path) is a \(quoted(name)), and a \(CLIP.className) is needed")
        }
        (text, textStore) = try CLIPTextWithProjection.load(folder, on: device)
        (vision, visionStore) = try CLIPVisionWithProjection.load(folder, on: device)
        statistics = try ContrastiveModel.statistics(
            of: folder, channels: vision.configuration.numChannels)
        let whole = try CLIPTokenizer(folder: folder.path)
        tokenizer = whole.limited(to: min(whole.length, text.configuration.maxPositionEmbeddings))
    }

    /// Features of the embeddings.
    var features: Int { text.configuration.projectionDim }

    /// What a network asks of the data where it reads these embeddings.
    var demands: NetworkDemands {
        var demands = NetworkDemands(sample: [features])
        (demands.contextWidth, demands.contextTokens) = (text.configuration.hiddenSize, tokenizer.length)
        demands.pooledWidth = features
        return demands
    }

    /// Checks that its encoder takes the pictures of the data.
    /// - Throws: `RecipeError`
    func check(_ data: any Dataset) throws {
        let channels = vision.configuration.numChannels
        guard data.exampleShape[0] == channels else {
            throw RecipeError(
                "model.clip takes pictures of \(channels) channels, and those of the data have \(data.exampleShape[0]): set data.channels to \(channels)."
            )
        }
    }

    /// Embeddings of pictures `[batch, channels, height, width]` in −1 … 1 at the length √features, `[batch, features]`.
    /// Pictures of another size are brought to the encoder's.
    func embeddings(of pictures: Tensor) -> Tensor {
        let size = vision.configuration.imageSize
        let isSize = pictures.shape[2] == size && pictures.shape[3] == size
        let sized = isSize ? pictures : pictures.resizedBilinear(height: size, width: size)
        return withoutGradients {
            EmbeddingGeometry.scaled(vision(statistics.normalized(signed: sized)).embedding)
        }
    }

    /// The states of texts with their mask, and each text as a whole at the length √features.
    func conditions(of texts: [String]) -> Conditions {
        let encoded = texts.map { tokenizer.encode($0, length: tokenizer.length) }
        let shape = Shape([texts.count, tokenizer.length])
        let ids = Tensor(encoded.flatMap { $0.ids.map(Int64.init) }, shape: shape).sent(to: device)
        let mask = encoded.flatMap { tokens in
            tokens.ids.indices.map { Int64($0 < tokens.tokenCount ? 1 : 0) }
        }
        return withoutGradients {
            let (output, embedding) = text(ids)
            var conditions = Conditions(
                context: output.states(), pooledText: EmbeddingGeometry.scaled(embedding))
            conditions[.contextMask] = Tensor(mask, shape: shape).sent(to: device)
            return conditions
        }
    }

    // MARK: Writing

    /// Its encoder of texts, as a part of a model.
    var textPart: ModelLayout.Part {
        .init(.textEncoder, CLIPTextWithProjection.self, text.configuration, textStore.named)
    }

    /// Its encoder of pictures, as a part of a model.
    var visionPart: ModelLayout.Part {
        .init(.imageEncoder, CLIPVisionWithProjection.self, vision.configuration, visionStore.named)
    }

    /// Writes the tokenizer into a model's folder.
    func writeTokenizer(to path: String) throws {
        try TextPlan.copyTokenizer(from: folder.path, to: "\(path)/tokenizer", length: tokenizer.length)
    }

    /// Writes the tokenizer, and how pictures are taken, into a model's folder.
    func writeRest(to path: String) throws {
        try writeTokenizer(to: path)
        let name = ContrastiveModel.preprocessor
        guard Files.exists("\(folder.path)/\(name)") else { return }
        try Files.createFolder("\(path)/\(PicturePreprocessing.folder)")
        try Files.write(
            Files.read("\(folder.path)/\(name)"), to: "\(path)/\(PicturePreprocessing.folder)/\(name)")
    }
}

/// Pictures as CLIP's embeddings of them.
struct EmbeddingCodec: ExampleCodec {
    let clip: CLIPPlan

    func shape(of example: Shape) -> Shape { [clip.features] }

    func encoded(_ examples: Tensor, _ generator: RandomGenerator) -> Tensor {
        clip.embeddings(of: examples)
    }
}

extension Batch {
    /// The caption of each example; one without any counts as an empty text.
    var shownTexts: [String] {
        captions?.map { $0.first ?? "" } ?? Array(repeating: "", count: data.shape[0])
    }
}

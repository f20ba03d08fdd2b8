import Datasets
import Networks
import Pipelines
import Tensors

/// The autoencoder of a recipe that trains on latents, and whether they come encoded.
struct LatentPlan {
    let autoencoder: StoredAutoencoder
    /// What encoded the data; `nil` where the autoencoder runs in every step.
    let encoding: LatentManifest?

    /// The plan of a recipe whose defaults are filled in; `nil` where nothing is encoded.
    /// - Throws: `RecipeError` where data and autoencoder do not fit; an error about a file.
    init?(_ recipe: Recipe, _ data: any Dataset) throws {
        guard let path = recipe.model.autoencoder else { return nil }
        (autoencoder, encoding) = (try StoredAutoencoder(path), data.encoding)
        guard let encoding else {
            do {
                try autoencoder.check(picture: data.exampleShape, "data.size")
            } catch let error as PipelineError {
                throw RecipeError("\(error)")
            }
            let factor = autoencoder.configuration.pixelsPerLatent
            if let step = recipe.data.buckets, step % factor != 0 {
                throw RecipeError(
                    "data.buckets is \(step): the autoencoder makes one latent of \(factor)×\(factor) pixels; write a multiple of \(factor)."
                )
            }
            return
        }
        let channels = autoencoder.configuration.latentChannels
        guard encoding.latentShape[0] == channels else {
            throw RecipeError(
                "model.autoencoder is \(path): its latents have \(channels) channels, and those in \(recipe.data.path ?? "") have \(encoding.latentShape[0]); give the autoencoder that made them."
            )
        }
    }

    /// The shape of the latents of an example of the data.
    func sample(of example: Shape) -> Shape {
        encoding.map { Shape($0.latentShape) } ?? autoencoder.configuration.traits.latentShape(of: example)
    }

    /// What examples become before noise is added.
    /// - Throws: an error about the autoencoder's files.
    func codec(on device: Device) throws -> any ExampleCodec {
        guard encoding != nil else { return AutoencoderCodec(try autoencoder.network(on: device)) }
        return MomentsCodec(
            try autoencoder.scaling(), latentChannels: autoencoder.configuration.latentChannels)
    }

    /// Checks that encoded data were encoded by the autoencoder of a recipe, and their captions by its text encoder.
    /// - Returns: whether embeddings of captions are read.
    /// - Throws: `RecipeError` where another autoencoder or encoder did it.
    func check(_ text: TextPlan?, _ recipe: Recipe) throws -> Bool {
        if let encoding, encoding.autoencoder.digest != (try autoencoder.digest()) {
            throw RecipeError(
                "model.autoencoder is \(recipe.model.autoencoder ?? ""): the latents in \(recipe.data.path ?? "") were made by another autoencoder; give that one, or encode the data with this one."
            )
        }
        guard let text, !text.isTrained, let encoded = encoding?.textEncoder, recipe.data.captions == .file
        else { return false }
        let (name, place) = (recipe.model.textEncoder ?? "", recipe.data.path ?? "")
        let width = text.configuration.hiddenSize
        guard encoded.width == width else {
            throw RecipeError(
                "model.text_encoder is \(name): it gives \(width) features a token, and the captions in \(place) were encoded with \(encoded.width); give the encoder that made them, or encode the data again."
            )
        }
        guard encoded.digest == (try text.digest()) else {
            throw RecipeError(
                "model.text_encoder is \(name): the captions in \(place) were encoded by another one; give that one, or encode the data again."
            )
        }
        guard encoded.tokens == text.length else {
            throw RecipeError(
                "model.text_tokens is \(text.length): the captions in \(place) were encoded with \(encoded.tokens) tokens; write that number, or encode the data again."
            )
        }
        return true
    }
}

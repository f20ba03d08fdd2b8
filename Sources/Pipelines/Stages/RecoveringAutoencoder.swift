import Layers
import Networks
import Tensors

/// The autoencoder of a run. Where float16 overflows in it, it runs again in float32, and does so from there on.
final class RecoveringAutoencoder {
    private let model: LatentModel
    private let say: (Sentence) -> Void
    private var elementType: ElementType
    /// The autoencoder as it is now.
    private(set) var network: any PictureAutoencoder

    /// Builds a model's autoencoder.
    /// - Parameter say: gets a message where the element type changes.
    init(_ model: LatentModel, say: @escaping (Sentence) -> Void) throws {
        (self.model, self.say, elementType) = (model, say, model.autoencoderType)
        network = try model.buildAutoencoder(elementType)
    }

    /// What a body makes with the autoencoder, in its element type.
    /// - Parameter subject: what that is, for a message.
    /// - Throws: `PipelineError` that names the layer where it is not finite in float32 either.
    func finite(
        _ subject: String, _ body: (any PictureAutoencoder, ElementType) throws -> Tensor
    ) throws -> Tensor {
        var result = try body(network, elementType)
        if try !result.isFinite().all().item(Bool.self), elementType == .float16 {
            say("warning: float16 overflows in this model's autoencoder, which runs in float32 from here on")
            elementType = .float32
            network = try model.buildAutoencoder(elementType)
            result = try body(network, elementType)
        }
        guard try result.isFinite().all().item(Bool.self) else {
            let layer = try LayerWatch.firstNonFiniteLayer { _ = try body(network, elementType) }
            let place = layer.map { "; the first came out of the layer '\($0)'" } ?? ""
            throw PipelineError(
                "the autoencoder gave \(subject) numbers that are not finite\(place): try \(.elementType) float32, or other weights"
            )
        }
        return result
    }
}

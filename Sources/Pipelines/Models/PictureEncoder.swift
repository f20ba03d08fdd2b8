import Networks
import Pictures
import Tensors

/// CLIP's encoder of pictures of a model with its weights, and how it takes pictures.
struct PictureEncoder {
    private let network: CLIPVisionWithProjection
    private let preprocessing: PicturePreprocessing
    private let type: ElementType
    private let device: Device

    /// - Throws: an error about the files of the model.
    init(_ source: ModelSource, as type: ElementType, on device: Device) throws {
        network = try source.build(
            CLIPVisionWithProjection.self, .imageEncoder, elementType: type, on: device, prepares: false)
        preprocessing = try PicturePreprocessing(source, for: network.configuration)
        (self.type, self.device) = (type, device)
    }

    /// A picture as the network takes it, `[1, channels, height, width]`.
    func pixels(of picture: Picture) throws -> Tensor {
        try preprocessing.pixels(of: picture).to(type).to(device)
    }

    /// CLIP's embeddings of pictures `[pictures, features]`, or its states.
    /// - Parameter isNone: whether what stands for no picture is wanted, as often as there are pictures.
    func features(_ features: ImageFeatures, of pixels: Tensor, isNone: Bool = false) -> Tensor {
        switch features {
        case .embedding:
            return isNone
                ? .zeros([pixels.shape[0], network.configuration.projectionDim], type, on: device)
                : network(pixels).embedding
        case .states:
            let states = network.vision(isNone ? pixels * 0 : pixels).states
            return states[states.count - 2]
        }
    }
}

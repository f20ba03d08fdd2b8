import Checkpoints
import Networks
import Storage
import Tensors

/// The configuration of an autoencoder of any kind.
public enum AutoencoderConfiguration: Sendable, Equatable {
    /// The variational one of Stable Diffusion.
    case variational(AutoencoderKLConfiguration)
    /// The one with a codebook.
    case quantised(VQModelConfiguration)
    /// The small distilled one, for previews or in place of the large one.
    case tiny(AutoencoderTinyConfiguration)

    /// Reads an autoencoder's `config.json`.
    /// - Throws: `PipelineError` where the class is not known; `NetworkError` where a value will not do.
    public init(_ object: JSONObject) throws {
        let name = try object.required("_class_name", as: String.self)
        switch name {
        case AutoencoderKL.className: self = .variational(try AutoencoderKL.configuration(object))
        case VQModel.className: self = .quantised(try VQModel.configuration(object))
        case AutoencoderTiny.className: self = .tiny(try AutoencoderTiny.configuration(object))
        default:
            let known = [AutoencoderKL.className, VQModel.className, AutoencoderTiny.className]
            throw PipelineError(
                "\(object.place): the autoencoder class \(quoted(name)) is not known here: there are \(known.joined(separator: ", "))"
            )
        }
    }

    /// Channels of latents.
    public var latentChannels: Int {
        switch self {
        case .variational(let configuration): configuration.coder.latentChannels
        case .quantised(let configuration): configuration.codeWidth
        case .tiny(let configuration): configuration.latentChannels
        }
    }

    /// Pixels along each side of the square that one latent stands for.
    public var pixelsPerLatent: Int {
        switch self {
        case .variational(let configuration): configuration.coder.pixelsPerLatent
        case .quantised(let configuration): configuration.coder.pixelsPerLatent
        case .tiny(let configuration): 1 << (configuration.encoderBlockOutChannels.count - 1)
        }
    }

    /// Whether float16 is known to overflow in it.
    var overflowsInHalf: Bool {
        switch self {
        case .variational(let configuration): configuration.forceUpcast
        case .quantised(let configuration): configuration.forceUpcast
        case .tiny: false
        }
    }

    /// The autoencoder with its weights.
    /// - Parameter isTiled: whether large pictures pass through it piece by piece.
    func build(
        _ component: ModelComponent, of source: ModelSource, elementType: ElementType, on device: Device,
        isTiled: Bool
    ) throws -> any PictureAutoencoder {
        switch self {
        case .variational(let configuration):
            var network = try source.build(
                AutoencoderKL.self, component, elementType: elementType, on: device)
            network.tiling = isTiled ? configuration.tiling : nil
            return network
        case .quantised:
            return try source.build(VQModel.self, component, elementType: elementType, on: device)
        case .tiny:
            return try source.build(AutoencoderTiny.self, component, elementType: elementType, on: device)
        }
    }
}

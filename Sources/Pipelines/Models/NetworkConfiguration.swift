import Checkpoints
import Layers
import Networks
import Storage
import Tensors

/// The configuration of a network that denoises pictures, of any family.
public enum NetworkConfiguration: Sendable, Equatable {
    /// The U-Net of DDPM under diffusers' names.
    case unet2D(UNet2DConfiguration)
    /// The ConvNeXt U-Net of the annotated diffusion article.
    case annotated(AnnotatedUNetConfiguration)
    /// The U-Net that looks at a context.
    case unet2DCondition(UNet2DConditionConfiguration)
    /// The transformer that is told a class.
    case dit(DiTConfiguration)
    /// The transformer of pictures and text.
    case mmdit(MMDiTConfiguration)

    private static var types: [any ConfiguredNetwork.Type] {
        [UNet2D.self, AnnotatedUNet.self, UNet2DCondition.self, DiT.self, MMDiT.self]
    }

    /// The network that is built from it.
    var type: any ConfiguredNetwork.Type {
        switch self {
        case .unet2D: UNet2D.self
        case .annotated: AnnotatedUNet.self
        case .unet2DCondition: UNet2DCondition.self
        case .dit: DiT.self
        case .mmdit: MMDiT.self
        }
    }

    /// The name of the class, as `config.json` gives it in `_class_name`.
    public var className: String { type.className }

    /// The family that a model with this network belongs to.
    public var family: String {
        switch self {
        case .unet2D: "ddpm"
        case .annotated: "annotated"
        case .unet2DCondition: "ldm"
        case .dit: "dit"
        case .mmdit: "sd3"
        }
    }

    /// The library that a `model_index.json` names for it.
    public var library: String {
        if case .annotated = self { return "langevin" }
        return "diffusers"
    }

    /// Reads a network's `config.json`.
    /// - Throws: `PipelineError` where the family is not known; `CheckpointError` where a value will not do.
    public init(_ object: JSONObject) throws {
        let name = try object.required("_class_name", as: String.self)
        switch name {
        case UNet2D.className: self = .unet2D(try UNet2D.configuration(object))
        case AnnotatedUNet.className: self = .annotated(try AnnotatedUNet.configuration(object))
        case UNet2DCondition.className: self = .unet2DCondition(try UNet2DCondition.configuration(object))
        case _ where ([DiT.className] + DiT.olderClassNames).contains(name):
            self = .dit(try DiT.configuration(object))
        case MMDiT.className: self = .mmdit(try MMDiT.configuration(object))
        default:
            let names = Self.types.map { $0.className }.joined(separator: ", ")
            throw PipelineError(
                "\(object.place): the network class \(quoted(name)) is not known here: there are \(names)")
        }
    }

    /// The form in which `config.json` holds it.
    public func json() throws -> JSONObject {
        switch self {
        case .unet2D(let configuration): try UNet2D.json(configuration)
        case .annotated(let configuration): try AnnotatedUNet.json(configuration)
        case .unet2DCondition(let configuration): try UNet2DCondition.json(configuration)
        case .dit(let configuration): try DiT.json(configuration)
        case .mmdit(let configuration): try MMDiT.json(configuration)
        }
    }

    /// Writes it and the network's parameters, in their order, to a folder.
    func write(_ parameters: [(String, Tensor)], to folder: ModelFolder) throws {
        switch self {
        case .unet2D(let configuration): try UNet2D.write(configuration, parameters, to: folder)
        case .annotated(let configuration): try AnnotatedUNet.write(configuration, parameters, to: folder)
        case .unet2DCondition(let configuration):
            try UNet2DCondition.write(configuration, parameters, to: folder)
        case .dit(let configuration): try DiT.write(configuration, parameters, to: folder)
        case .mmdit(let configuration): try MMDiT.write(configuration, parameters, to: folder)
        }
    }

    /// The network, its parameters from a scope.
    public func network(_ weights: Weights) throws -> any NoiseNetwork {
        switch self {
        case .unet2D(let configuration): try UNet2D(configuration, weights)
        case .annotated(let configuration): try AnnotatedUNet(configuration, weights)
        case .unet2DCondition(let configuration): try UNet2DCondition(configuration, weights)
        case .dit(let configuration): try DiT(configuration, weights)
        case .mmdit(let configuration): try MMDiT(configuration, weights)
        }
    }

    /// The weights of a folder under the network's own names; names of older files are translated.
    func weights(of folder: ModelFolder) throws -> any TensorSource { try type.weights(of: folder) }

    /// Channels of pictures.
    public var channels: Int {
        switch self {
        case .unet2D(let configuration): configuration.inChannels
        case .annotated(let configuration): configuration.channels
        case .unet2DCondition(let configuration): configuration.inChannels
        case .dit(let configuration): configuration.inChannels
        case .mmdit(let configuration): configuration.inChannels
        }
    }

    /// Channels of the network's answer.
    public var outputChannels: Int {
        switch self {
        case .unet2D(let configuration): configuration.outChannels
        case .annotated(let configuration): configuration.outDim ?? configuration.channels
        case .unet2DCondition(let configuration): configuration.outChannels
        case .dit(let configuration): configuration.outChannels ?? configuration.inChannels
        case .mmdit(let configuration): configuration.outChannels ?? configuration.inChannels
        }
    }

    /// Height and width of the pictures or latents that it was made for, where it says so.
    public var pictureSize: (height: Int, width: Int)? {
        switch self {
        case .unet2D(let configuration):
            configuration.sampleSize.map { (height: $0.height, width: $0.width) }
        case .annotated: nil
        case .unet2DCondition(let configuration):
            configuration.sampleSize.map { (height: $0.height, width: $0.width) }
        case .dit(let configuration): (configuration.sampleSize, configuration.sampleSize)
        case .mmdit(let configuration): (configuration.sampleSize, configuration.sampleSize)
        }
    }

    /// The number of classes that it can be told, the one that stands for none included.
    public var classCount: Int? {
        switch self {
        case .unet2D(let configuration): configuration.numClassEmbeds
        case .unet2DCondition(let configuration): configuration.numClassEmbeds
        case .dit(let configuration): configuration.numEmbedsAdaNorm + 1
        case .annotated, .mmdit: nil
        }
    }

    /// Heights and widths must be multiples of this.
    public var sizeMultiple: Int {
        switch self {
        case .unet2D(let configuration): 1 << (configuration.blockOutChannels.count - 1)
        case .annotated(let configuration): 1 << (configuration.dimMults.count - 1)
        // Its way up takes the sizes of its way down, whatever they are.
        case .unet2DCondition: 1
        case .dit(let configuration): configuration.patchSize
        case .mmdit(let configuration): configuration.patchSize
        }
    }
}

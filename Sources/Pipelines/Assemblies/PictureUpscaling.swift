import Checkpoints
import Layers
import Networks
import Pictures
import Storage
import Tensors

/// A network that makes a larger picture of one in a single pass, such as Real-ESRGAN's and SwinIR. It draws no samples.
///
/// It is opened as the one file that it is published as, or as the folder that `convert` makes of it: `model_index.json` and
/// `upscaler/`.
public struct PictureUpscaling: StoredAssembly {
    package static let classNames = ["PictureUpscalerPipeline"]
    package static let family = "upscaler"
    package static let networkComponent = ModelComponent.upscaler

    /// Where it was opened, for messages and records.
    public let name: String
    /// What the network takes and gives.
    public let traits: EnlargingTraits
    private let source: ModelSource
    private let options: ModelOptions
    private let network: any EnlargingNetwork.Type

    package init(_ source: ModelSource, _ options: ModelOptions) throws {
        (name, self.source, self.options) = (source.name, source, options)
        guard options.memory == MemoryOptions() else {
            throw PipelineError(
                "\(.memory) keeps models of latents small, and \(source.name) is one network: leave it out")
        }
        guard options.autoencoder == nil else {
            throw PipelineError(
                "\(.autoencoder) belongs to models of latents, and \(source.name) is one network: leave it out"
            )
        }
        let object = try source.configuration(of: .upscaler)
        let className = try KnownNetworks.name(in: object)
        guard let network = KnownNetworks.enlarging.first(where: { $0.className == className }) else {
            throw PipelineError("\(source.path): a \(className) makes no larger picture of one")
        }
        self.network = network
        traits = try source.explaining(.upscaler) { try network.traits(object) }
        try Self.check(network, source)
    }

    /// Compares the weights with the configuration by name and shape.
    private static func check<Network: EnlargingNetwork>(_ type: Network.Type, _ source: ModelSource) throws {
        try source.check(type, .upscaler)
    }

    package var takesPrompt: Bool { false }
    package var classCount: Int? { nil }
    package var enlarges: Bool { true }

    package func stages(_ request: Request) throws -> [any Stage] {
        throw PipelineError(
            "\(name) draws no samples, it makes a larger picture of one: use 'langevin upscale'")
    }

    package func bare() throws -> BareModel {
        throw PipelineError("\(name) makes larger pictures and denoises none: use another model")
    }

    /// The sha256 of its file.
    public func digest() throws -> String {
        try ModelDigests(source, [.upscaler]).record().hash
    }

    // MARK: Pictures

    /// The least side of pieces.
    public var leastTile: Int { PictureTiles.leastSide(unit: traits.unit) }

    /// The larger picture of one, `[1, channels, height, width]` in −1 … 1.
    ///
    /// Transparency is not the network's matter: colours pass through it as they are stored.
    /// - Parameters:
    ///   - tile: the side of the pieces in which a large picture is taken; `nil` takes it whole.
    ///   - onTile: gets the number of pieces that are done, and of all.
    /// - Throws: `PipelineError` where the machine cannot hold it, or the result is not finite.
    public func enlarged(_ picture: Picture, tile: Int?, onTile: (Int, Int) -> Void = { _, _ in })
        throws -> Tensor
    {
        let tiles = try tiles(tile)
        try checkMemory(picture, tiles)
        func enlarged<Network: EnlargingNetwork>(by type: Network.Type) throws -> Tensor {
            let network = try source.build(
                type, .upscaler, elementType: options.elementType, on: options.device)
            let pixels = ((picture.converted(toChannels: traits.channels == 1 ? 1 : 3).tensor() + 1) / 2)
                .unsqueezed(0).to(options.elementType).to(options.device)
            let count = tiles?.count(height: pixels.shape[2], width: pixels.shape[3], unit: traits.unit) ?? 1
            var done = 0
            onTile(done, count)
            func piece(_ x: Tensor) throws -> Tensor {
                let result = network(x).to(.float32).to(.cpu)
                try result.rethrow()
                done += 1
                onTile(done, count)
                return result
            }
            let result =
                try tiles?.enlarged(pixels, scale: traits.scale, unit: traits.unit, by: piece)
                ?? piece(pixels)
            return result * 2 - 1
        }
        let result = try inference { try enlarged(by: network) }
        guard try result.isFinite().all().item(Bool.self) else {
            throw PipelineError(
                "\(name) gave numbers that are not finite: try \(.elementType) float32, or other weights")
        }
        return result
    }

    private func tiles(_ side: Int?) throws -> PictureTiles? {
        guard [1, 3].contains(traits.channels), [1, 3].contains(traits.outputChannels) else {
            throw PipelineError(
                "\(name) takes \(traits.channels) channels and gives \(traits.outputChannels), and pictures have 1 or 3"
            )
        }
        return side.map { PictureTiles(side: $0, unit: traits.unit) }
    }

    /// Throws where the machine cannot hold what passes through the network, or the result.
    private func checkMemory(_ picture: Picture, _ tiles: PictureTiles?) throws {
        let side = tiles?.side ?? .max
        let passing = Double(min(picture.width, side)) * Double(min(picture.height, side))
        try MemoryNeed(
            "enlarging \(picture.width)×\(picture.height) pixels at once",
            bytes: options.elementType.byteCount(passing * Double(traits.valuesPerPixel)),
            remedy: "let the picture pass in smaller pieces"
        ).check(on: options.device)
        let pixels = Double(picture.width) * Double(picture.height)
        let values = pixels * Double(traits.scale * traits.scale * traits.outputChannels)
        try MemoryNeed(
            "a picture of \(picture.width * traits.scale)×\(picture.height * traits.scale) pixels",
            bytes: 3 * 4 * values, remedy: "give a smaller picture"
        ).check(on: .cpu)
    }
}

extension Model {
    /// The model as a network that makes a larger picture of one in a single pass; `nil` where it is none.
    public var upscaling: PictureUpscaling? { assembly as? PictureUpscaling }

    /// Whether it makes a larger picture of the one that a request refers to.
    public var enlarges: Bool { assembly.enlarges }
}

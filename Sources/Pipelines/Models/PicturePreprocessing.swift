import Checkpoints
import Networks
import Pictures
import Storage
import Tensors

/// How a network that looks at pictures takes them, as transformers' `CLIPImageProcessor` and `DPTImageProcessor` have it in
/// `preprocessor_config.json`: scaled with one of Pillow's filters, cut to the middle, and with the statistics of their channels
/// taken out.
package struct PicturePreprocessing: Sendable {
    /// The folder of a model that holds it.
    package static let folder = "feature_extractor"

    /// The shorter side, or both sides, that a picture is scaled to; `nil` where it is not scaled.
    private var scaledSize: ScaledSize?
    /// Height and width of what is cut out of the middle; `nil` where nothing is.
    private var cropSize: (height: Int, width: Int)?
    private var statistics: ChannelStatistics
    private var filter = ResizeFilter.bicubic
    /// Height and width of the pictures of the network.
    private let networkSize: Int
    private let place: String

    /// Pillow's numbers of its filters.
    private static let filters: [Int: ResizeFilter] = [
        0: .nearest, 1: .lanczos, 2: .bilinear, 3: .bicubic, 4: .box, 5: .hamming,
    ]

    private enum ScaledSize: Sendable {
        case shorterSide(Int)
        case sides(height: Int, width: Int)
    }

    /// That of a model's folder; without one, that of all published CLIPs at the encoder's size.
    /// - Throws: `PipelineError` or `CheckpointError` that names the key.
    init(_ source: ModelSource, for encoder: CLIPVisionConfiguration) throws {
        self.init(source, size: encoder.imageSize, .clip)
        (scaledSize, cropSize) = (.shorterSide(networkSize), (networkSize, networkSize))
        try read(channels: encoder.numChannels)
    }

    /// That of a model's folder; without one, that of the published estimators of depth at their size.
    /// - Throws: `PipelineError` or `CheckpointError` that names the key.
    init(_ source: ModelSource, for estimator: DPTConfiguration) throws {
        self.init(source, size: estimator.imageSize, .centred(channels: estimator.numChannels))
        try read(channels: estimator.numChannels)
        // A size of one number is that of both sides here.
        if case .shorterSide(let side)? = scaledSize { scaledSize = .sides(height: side, width: side) }
    }

    private init(_ source: ModelSource, size: Int, _ statistics: ChannelStatistics) {
        (networkSize, place) = (size, "\(source.path)/\(Self.folder)")
        (self.statistics, scaledSize) = (statistics, .sides(height: size, width: size))
    }

    /// Reads what the folder says.
    private mutating func read(channels: Int) throws {
        let folder = ModelFolder(place)
        let name = "preprocessor_config.json"
        guard Files.exists("\(place)/\(name)") else { return }
        let object = try folder.configuration(name)
        let size = try Self.size(object, "size") ?? scaledSize
        let crop = try Self.size(object, "crop_size", isSquare: true)
        scaledSize = try object.optional("do_resize") ?? true ? size : nil
        if case .sides(let height, let width)? = crop { cropSize = (height, width) }
        if try !(object.optional("do_center_crop") ?? true) { cropSize = nil }
        try readStatistics(object, channels: channels)
        try readScaling(object)
    }

    private mutating func readStatistics(_ object: JSONObject, channels: Int) throws {
        let mean: [Double] = try object.optional("image_mean") ?? statistics.mean
        let deviation: [Double] = try object.optional("image_std") ?? statistics.deviation
        guard mean.count == channels, deviation.count == channels, deviation.allSatisfy({ $0 > 0 }) else {
            throw PipelineError(
                "\(object.place): image_mean and image_std must hold a number for each of \(channels) channels, deviations above 0"
            )
        }
        statistics = ChannelStatistics(mean: mean, deviation: deviation)
    }

    /// Reads the filter. Throws where a key says otherwise than every published network.
    private mutating func readScaling(_ object: JSONObject) throws {
        let flags: [(String, Bool, Bool)] = try [
            ("do_rescale", true, object.optional("do_rescale") ?? true),
            ("do_normalize", true, object.optional("do_normalize") ?? true),
            ("do_pad", false, object.optional("do_pad") ?? false),
            ("keep_aspect_ratio", false, object.optional("keep_aspect_ratio") ?? false),
        ]
        if let (key, wanted, found) = flags.first(where: { $0.1 != $0.2 }) {
            throw PipelineError(
                "\(object.place): \(key) is \(found), and networks here take it for \(wanted)")
        }
        let factor: Double = try object.optional("rescale_factor") ?? 1 / 255
        guard abs(factor * 255 - 1) < 1e-6 else {
            throw PipelineError(
                "\(object.place): rescale_factor must be 1/255, as published networks have it")
        }
        let number: Int = try object.optional("resample") ?? 3
        guard let found = Self.filters[number] else {
            throw PipelineError(
                "\(object.place): resample is \(number): use the number of one of Pillow's filters, 0 to 5")
        }
        filter = found
    }

    /// A size: a number, `shortest_edge`, or `height` and `width`.
    private static func size(_ object: JSONObject, _ key: String, isSquare: Bool = false) throws
        -> ScaledSize?
    {
        func checked(_ side: Int?) throws -> Int {
            guard let side, (1...16_384).contains(side) else {
                throw PipelineError(
                    "\(object.place): \(key) must say sides from 1 to 16384 ('shortest_edge', or 'height' and 'width')"
                )
            }
            return side
        }
        guard let value = object[key], value != .null else { return nil }
        if case .object(let sides) = value {
            if let shorter: Int = try sides.optional("shortest_edge") {
                return .shorterSide(try checked(shorter))
            }
            return .sides(
                height: try checked(sides.optional("height")), width: try checked(sides.optional("width")))
        }
        let side = try checked(Int(json: value))
        return isSquare ? .sides(height: side, width: side) : .shorterSide(side)
    }

    /// A picture as the network takes it, `[1, channels, height, width]`.
    /// - Throws: `PipelineError` where it is not of the network's size then.
    func pixels(of picture: Picture) throws -> Tensor {
        let cut = cropped(scaled(picture.converted(toChannels: statistics.mean.count)))
        guard cut.width == networkSize, cut.height == networkSize else {
            throw PipelineError(
                "\(place): pictures come out at \(cut.width)×\(cut.height) pixels, and the network that looks at them takes \(networkSize)×\(networkSize): make size and crop_size agree with it"
            )
        }
        return statistics.normalized(signed: cut.tensor().unsqueezed(0))
    }

    private func scaled(_ picture: Picture) -> Picture {
        let (width, height) = (picture.width, picture.height)
        switch scaledSize {
        case nil: return picture
        case .sides(let height, let width):
            return picture.resized(width: width, height: height, filter: filter)
        case .shorterSide(let side):
            // The longer side is rounded down.
            let size =
                width <= height ? (side, side * height / width) : (side * width / height, side)
            return picture.resized(width: size.0, height: size.1, filter: filter)
        }
    }

    /// The middle, its corner rounded down.
    private func cropped(_ picture: Picture) -> Picture {
        guard let size = cropSize, picture.width >= size.width, picture.height >= size.height else {
            return picture
        }
        return picture.cropped(
            x: (picture.width - size.width) / 2, y: (picture.height - size.height) / 2, width: size.width,
            height: size.height)
    }
}

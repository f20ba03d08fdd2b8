import Layers
import Tensors

/// A transformer that restores and enlarges pictures: pixels attend to each other in windows, which lie half a window
/// aside in every second block. Parameters under the published names: `conv_first.*`, `patch_embed.norm.*`,
/// `layers.G.residual_group.blocks.B.*`, `layers.G.conv.*`, `norm.*`, `conv_after_body.*`, and those of the upsampler.
/// Source: Liang et al. 2021 (arXiv:2108.10257), section 3; windows: Liu et al. 2021 (arXiv:2103.14030), section 3.2.
public struct SwinIR: Sendable {
    /// What the network was built from.
    public let configuration: SwinIRConfiguration
    let first: Convolution2D
    let inputNorm: LayerNorm?
    let groups: [WindowGroup]
    let outputNorm: LayerNorm
    let body: FeatureConvolutions
    let upsampler: SwinUpsampler

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: SwinIRConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let width = configuration.embedDim
        first = Convolution2D(
            inputs: configuration.inChans, outputs: width, kernel: 3, padding: 1, weights["conv_first"])
        inputNorm =
            configuration.patchNorm ? LayerNorm(width: width, weights["patch_embed"]["norm"]) : nil
        groups = configuration.depths.indices.map {
            WindowGroup(configuration, group: $0, weights["layers"][$0])
        }
        outputNorm = LayerNorm(width: width, weights["norm"])
        body = FeatureConvolutions(configuration, weights["conv_after_body"])
        upsampler = SwinUpsampler(configuration, weights)
    }

    /// The larger picture of one of any size.
    /// - Parameter x: `[batch, inChans, height, width]` in 0 … 1
    /// - Returns: `[batch, inChans, height · upscale, width · upscale]`
    public func callAsFunction(_ x: Tensor) -> Tensor {
        let (height, width, scale) = (x.shape[2], x.shape[3], configuration.upscale)
        let mean = mean(like: x)
        let input = (x.mirrored(toMultiplesOf: configuration.windowSize) - mean) * configuration.imgRange
        let shallow = first(input)
        let features = body(deepFeatures(shallow)) + shallow
        let result = upsampler(features, of: input) / configuration.imgRange + mean
        return result.slice(0..<height * scale, of: 2).slice(0..<width * scale, of: 3)
    }

    /// `[batch, embedDim, height, width]`, the shape stays.
    private func deepFeatures(_ shallow: Tensor) -> Tensor {
        let windows = Windows(
            height: shallow.shape[2], width: shallow.shape[3], side: configuration.windowSize,
            elementType: shallow.elementType, device: shallow.device)
        // Channels innermost.
        let pixels = shallow.permuted(0, 2, 3, 1)
        let hidden = groups.reduce(inputNorm?(pixels) ?? pixels) { $1($0, windows) }
        return outputNorm(hidden).permuted(0, 3, 1, 2)
    }

    /// The mean colour of the pictures that the published networks of colour were trained on.
    private func mean(like x: Tensor) -> Tensor {
        let values: [Double] = x.shape[1] == 3 ? [0.4488, 0.4371, 0.4040] : [0]
        return Tensor(values).to(x.elementType).to(x.device).reshaped([1, values.count, 1, 1])
    }
}

extension SwinIR: EnlargingNetwork {
    /// The name in its published code.
    public static var className: String { "SwinIR" }

    /// What follows from a configuration.
    public static func traits(_ configuration: SwinIRConfiguration) -> EnlargingTraits {
        let (scale, window) = (configuration.upscale, configuration.windowSize)
        let scores = (configuration.numHeads.max() ?? 1) * window * window
        let full = configuration.upsampler == .none ? 0 : configuration.numFeat * scale * scale
        return EnlargingTraits(
            scale: scale, channels: configuration.inChans, outputChannels: configuration.inChans,
            unit: window, valuesPerPixel: max(4 * configuration.embedDim, scores, full))
    }
}

/// Features to the pixels of the result. Parameters by the kind: `conv_before_upsample.0.*`, `upsample.N.*`, `conv_upN.*`,
/// `conv_hr.*`, `conv_last.*`.
/// Source: Liang et al. 2021 (arXiv:2108.10257), section 3.1, "image reconstruction".
struct SwinUpsampler: Sendable {
    private let upsampling: SwinIRConfiguration.Upsampler
    private let before: Convolution2D?
    /// Each with the side of the squares of pixels that its channels become, 1 where they stay channels.
    private let steps: [(convolution: Convolution2D, side: Int)]
    private let full: Convolution2D?
    private let last: Convolution2D?

    init(_ configuration: SwinIRConfiguration, _ weights: Weights) {
        let (width, features) = (configuration.embedDim, configuration.numFeat)
        func convolution(_ scope: Weights, _ inputs: Int, _ outputs: Int) -> Convolution2D {
            Convolution2D(inputs: inputs, outputs: outputs, kernel: 3, padding: 1, scope)
        }
        upsampling = configuration.upsampler
        let isSimple = upsampling == .none || upsampling == .pixelShuffleDirect
        before = isSimple ? nil : convolution(weights["conv_before_upsample"][0], width, features)
        switch upsampling {
        case .pixelShuffle:
            // Each takes a convolution and a shuffle.
            steps = configuration.shuffles.enumerated().map { index, side in
                (convolution(weights["upsample"][2 * index], features, side * side * features), side)
            }
        case .pixelShuffleDirect:
            let side = configuration.upscale
            steps = [(convolution(weights["upsample"][0], width, side * side * configuration.inChans), side)]
        case .nearestConvolution:
            steps = (0..<configuration.doublings).map {
                (convolution(weights["conv_up\($0 + 1)"], features, features), 1)
            }
        case .none: steps = []
        }
        full = upsampling == .nearestConvolution ? convolution(weights["conv_hr"], features, features) : nil
        last =
            upsampling == .pixelShuffleDirect
            ? nil
            : convolution(weights["conv_last"], upsampling == .none ? width : features, configuration.inChans)
    }

    /// - Parameters:
    ///   - features: `[batch, embedDim, height, width]`
    ///   - picture: what they were made of, `[batch, inChans, height, width]`.
    func callAsFunction(_ features: Tensor, of picture: Tensor) -> Tensor {
        var x = before.map { $0(features).leakyReLU(0.01) } ?? features
        for (convolution, side) in steps {
            x =
                upsampling == .nearestConvolution
                ? convolution(x.enlargedNearest(2)).leakyReLU(0.2) : convolution(x).channelsToPixels(side)
        }
        if let full { x = full(x).leakyReLU(0.2) }
        if let last { x = last(x) }
        return upsampling == .none ? picture + x : x
    }
}

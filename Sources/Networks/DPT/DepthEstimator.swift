import Checkpoints
import Layers
import Tensors

/// How far away what a picture shows is, by a vision transformer whose tokens are brought back to features of four sizes, under
/// the names of transformers' `DPTForDepthEstimation`.
/// Source: Ranftl et al. 2021 (arXiv:2103.13413), section 3.
public struct DepthEstimator: ConfiguredNetwork {
    /// What the network was built from.
    public let configuration: DPTConfiguration

    let backbone: BiTBackbone?
    let projection: Convolution2D
    let ownToken: Tensor
    let places: Tensor
    let layers: [VisionLayer]
    /// Other heads take it; checkpoints hold it.
    let lastNorm: LayerNorm
    /// What brings tokens back to features; none for the stages of a hybrid that are features.
    let reassembling: [ReassembledFeatures?]
    let narrowing: [Convolution2D]
    let fusions: [FeatureFusion]
    let headProjection: Convolution2D?
    let head: [Convolution2D]

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: DPTConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (width, side, fused) = (
            configuration.hiddenSize, configuration.side, configuration.fusionHiddenSize
        )
        let (model, neck) = (weights["dpt"], weights["neck"])
        let embeddings = model["embeddings"]
        ownToken = embeddings.parameter("cls_token", [1, 1, width], .zeros)
        places = embeddings.parameter("position_embeddings", [1, side * side + 1, width], .zeros)
        if configuration.isHybrid {
            backbone = BiTBackbone(configuration.backbone, embeddings["backbone"])
            projection = Convolution2D(
                inputs: configuration.backbone.hiddenSizes[2], outputs: width, kernel: 1,
                embeddings["projection"])
        } else {
            backbone = nil
            projection = Convolution2D(
                inputs: configuration.numChannels, outputs: width, kernel: configuration.patchSize,
                stride: configuration.patchSize, embeddings["patch_embeddings"]["projection"])
        }
        layers = (0..<configuration.numHiddenLayers).map {
            VisionLayer(configuration, model["encoder"]["layer"][$0])
        }
        lastNorm = LayerNorm(width: width, epsilon: configuration.layerNormEps, model["layernorm"])
        reassembling = (0..<4).map {
            configuration.isHybrid && $0 < 2
                ? nil : ReassembledFeatures(configuration, stage: $0, neck["reassemble_stage"])
        }
        narrowing = configuration.neckHiddenSizes.enumerated().map { index, channels in
            Convolution2D(
                inputs: channels, outputs: fused, kernel: 3, padding: 1, bias: false, neck["convs"][index])
        }
        fusions = (0..<4).map { FeatureFusion(channels: fused, neck["fusion_stage"]["layers"][$0]) }
        headProjection =
            configuration.addProjection
            ? Convolution2D(
                inputs: fused, outputs: fused, kernel: 3, padding: 1, weights["head"]["projection"])
            : nil
        let head = weights["head"]["head"]
        self.head = [
            Convolution2D(inputs: fused, outputs: fused / 2, kernel: 3, padding: 1, head[0]),
            Convolution2D(inputs: fused / 2, outputs: 32, kernel: 3, padding: 1, head[2]),
            Convolution2D(inputs: 32, outputs: 1, kernel: 1, head[4]),
        ]
    }

    /// The inverse of depth up to scale and shift, which is larger for what is nearer, and 0 at the least.
    /// - Parameter pictures: `[batch, numChannels, imageSize, imageSize]`, normalized to −1 … 1.
    /// - Returns: `[batch, height, width]`, of the size of the pictures where `reassembleFactors` are the usual ones.
    public func callAsFunction(_ pictures: Tensor) -> Tensor {
        let (shape, size, side) = (pictures.shape, configuration.imageSize, configuration.side)
        precondition(
            shape[2] == size && shape[3] == size, "pictures of \(shape), and \(size) by \(size) are needed")
        let stages = backbone?(pictures)
        let seen = projection(stages?[2] ?? pictures).flattened(from: 2).transposed(1, 2)
        let own = ownToken.expanded(to: [shape[0], 1, configuration.hiddenSize])
        var tokens = concatenated([own.to(seen.elementType), seen], along: 1) + places
        var states: [Tensor] = []
        for layer in layers {
            tokens = layer(tokens)
            states.append(tokens)
        }
        let features = zip(reassembling, configuration.backboneOutIndices).enumerated().map { index, stage in
            let (reassembled, layer) = stage
            return narrowing[index](reassembled?(states[layer], side: side) ?? stages![index])
        }
        // From the smallest features to the largest.
        var x: Tensor?
        for (fusion, features) in zip(fusions, features.reversed()) { x = fusion(features, onto: x) }
        var depth = x!
        if let headProjection { depth = headProjection(depth).relu() }
        depth = head[0](depth)
        depth = head[1](
            depth.resizedBilinear(height: 2 * depth.shape[2], width: 2 * depth.shape[3], alignsCorners: true))
        return head[2](depth.relu()).relu().squeezed(1)
    }

    /// The name in transformers.
    public static var className: String { "DPTForDepthEstimation" }
    /// How transformers lays it out.
    public static var library: ConfigurationLibrary { .transformers(modelType: "dpt") }
    /// What sums a picture up for other heads.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool {
        name.hasPrefix("dpt.pooler.")
    }
}

/// A layer of a vision transformer. Parameters `layernorm_before.*`, `attention.attention.*`, `attention.output.dense.*`,
/// `layernorm_after.*`, `intermediate.dense.*`, `output.dense.*`.
/// Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), equations 2 and 3.
struct VisionLayer {
    let norm1: LayerNorm
    let attention: EncoderAttention
    let norm2: LayerNorm
    let linear1: Linear
    let linear2: Linear
    let activation: Activation

    init(_ configuration: DPTConfiguration, _ weights: Weights) {
        let (width, inner, epsilon) = (
            configuration.hiddenSize, configuration.intermediateSize, configuration.layerNormEps
        )
        norm1 = LayerNorm(width: width, epsilon: epsilon, weights["layernorm_before"])
        attention = EncoderAttention(
            .init(
                width: width, heads: configuration.numAttentionHeads,
                headSize: width / configuration.numAttentionHeads, bias: configuration.qkvBias,
                names: ["attention.query", "attention.key", "attention.value", "output.dense"]),
            weights["attention"])
        norm2 = LayerNorm(width: width, epsilon: epsilon, weights["layernorm_after"])
        linear1 = Linear(inputs: width, outputs: inner, weights["intermediate"]["dense"])
        linear2 = Linear(inputs: inner, outputs: width, weights["output"]["dense"])
        activation = configuration.hiddenAct
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let attended = x + attention(norm1(x))
        return attended + linear2(activation(linear1(norm2(attended))))
    }
}

/// Tokens that become features of another size. Parameters `readout_projects.N.0.*`, `layers.N.projection.*`,
/// `layers.N.resize.*`.
/// Source: Ranftl et al. 2021, section 3, "Convolutional decoder".
struct ReassembledFeatures {
    let readout: DPTConfiguration.Readout
    let readoutProjection: Linear?
    let activation: Activation
    let projection: Convolution2D
    let enlarging: (weight: Tensor, bias: Tensor, factor: Int)?
    let reducing: Convolution2D?

    init(_ configuration: DPTConfiguration, stage: Int, _ weights: Weights) {
        let (width, channels) = (configuration.hiddenSize, configuration.neckHiddenSizes[stage])
        let (factor, layer) = (configuration.reassembleFactors[stage], weights["layers"][stage])
        (readout, activation) = (configuration.readoutType, configuration.hiddenAct)
        readoutProjection =
            readout == .project
            ? Linear(inputs: 2 * width, outputs: width, weights["readout_projects"][stage][0]) : nil
        projection = Convolution2D(inputs: width, outputs: channels, kernel: 1, layer["projection"])
        let (resize, times) = (layer["resize"], Int(factor.rounded()))
        enlarging =
            factor > 1
            ? (
                resize.parameter(
                    "weight", [channels, channels, times, times], .fanIn(channels * times * times)),
                resize.parameter("bias", [channels], .zeros), times
            ) : nil
        reducing =
            factor < 1
            ? Convolution2D(
                inputs: channels, outputs: channels, kernel: 3, stride: Int((1 / factor).rounded()),
                padding: 1,
                resize) : nil
    }

    /// - Parameter tokens: `[batch, 1 + side · side, width]`, that of the whole picture first.
    /// - Returns: `[batch, channels, height, width]`
    func callAsFunction(_ tokens: Tensor, side: Int) -> Tensor {
        let (own, others) = (tokens.slice(0..<1, of: 1), tokens.slice(1..<tokens.shape[1], of: 1))
        let read =
            switch readout {
            case .ignore: others
            case .add: others + own
            case .project:
                activation(
                    readoutProjection!(concatenated([others, own.expanded(to: others.shape)], along: 2)))
            }
        let picture = read.transposed(1, 2).reshaped([tokens.shape[0], tokens.shape[2], side, side])
        let projected = projection(picture)
        if let enlarging {
            return projected.computedWide { x in
                x.convolvedTransposed(
                    x.alike(enlarging.weight), bias: x.alike(enlarging.bias), stride: enlarging.factor)
            }
        }
        return reducing?(projected) ?? projected
    }
}

/// Features that are joined with smaller ones, and enlarged twofold. Parameters `residual_layer1.*`, `residual_layer2.*`,
/// `projection.*`; the smallest features have nothing to be joined with, and the first of these stands in files alone.
/// Source: Lin et al. 2017 (arXiv:1611.06612), section 3.2, as Ranftl et al. 2021 take it.
struct FeatureFusion {
    let residual1: ResidualUnit
    let residual2: ResidualUnit
    let projection: Convolution2D

    init(channels: Int, _ weights: Weights) {
        residual1 = ResidualUnit(channels: channels, weights["residual_layer1"])
        residual2 = ResidualUnit(channels: channels, weights["residual_layer2"])
        projection = Convolution2D(inputs: channels, outputs: channels, kernel: 1, weights["projection"])
    }

    func callAsFunction(_ features: Tensor, onto smaller: Tensor?) -> Tensor {
        var x = features
        if let smaller {
            let isAlike = features.shape == smaller.shape
            let own =
                isAlike
                ? features : features.resizedBilinear(height: smaller.shape[2], width: smaller.shape[3])
            x = smaller + residual1(own)
        }
        x = residual2(x)
        return projection(
            x.resizedBilinear(height: 2 * x.shape[2], width: 2 * x.shape[3], alignsCorners: true))
    }
}

/// Two convolutions, each behind a rectifier, beside a shortcut. Parameters `convolution1.*`, `convolution2.*`.
struct ResidualUnit {
    let convolution1: Convolution2D
    let convolution2: Convolution2D

    init(channels: Int, _ weights: Weights) {
        convolution1 = Convolution2D(
            inputs: channels, outputs: channels, kernel: 3, padding: 1, weights["convolution1"])
        convolution2 = Convolution2D(
            inputs: channels, outputs: channels, kernel: 3, padding: 1, weights["convolution2"])
    }

    func callAsFunction(_ x: Tensor) -> Tensor { convolution2(convolution1(x.relu()).relu()) + x }
}

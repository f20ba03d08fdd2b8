import Checkpoints
import Layers
import Networks

extension ConfiguredNetwork {
    /// The network's configuration in Stable Diffusion 1.5.
    static func stableDiffusion(_ component: ModelComponent) throws -> Configuration {
        try configuration(CheckpointFamily.stableDiffusion1.configurations(TensorDictionary([:]))[component]!)
    }
}

extension UNet2DConfiguration {
    /// `google/ddpm-cifar10-32`
    static var ddpmCifar: UNet2DConfiguration {
        var configuration = UNet2DConfiguration()
        configuration.sampleSize = .square(32)
        configuration.blockOutChannels = [128, 256, 256, 256]
        configuration.downBlockTypes = [.plain, .attention, .plain, .plain]
        configuration.upBlockTypes = [.plain, .plain, .attention, .plain]
        configuration.attentionHeadDim = nil
        configuration.normEps = 1e-6
        configuration.downsamplePadding = 0
        configuration.flipSinToCos = false
        configuration.freqShift = 1
        return configuration
    }

    /// Two levels of plain blocks for 16×16 grey pictures.
    static var tiny: UNet2DConfiguration {
        var configuration = UNet2DConfiguration()
        configuration.sampleSize = .square(16)
        configuration.inChannels = 1
        configuration.outChannels = 1
        configuration.blockOutChannels = [32, 64]
        configuration.layersPerBlock = 1
        configuration.downBlockTypes = [.plain, .plain]
        configuration.upBlockTypes = [.plain, .plain]
        return configuration
    }
}

extension UNet2DConfiguration {
    /// Guided diffusion's network of 64 pixels (Dhariwal and Nichol 2021, arXiv:2105.05233, table 4).
    static var adm64: UNet2DConfiguration {
        var configuration = UNet2DConfiguration()
        configuration.sampleSize = .square(64)
        (configuration.blockOutChannels, configuration.layersPerBlock) = ([192, 384, 576, 768], 3)
        configuration.downBlockTypes = [.residual, .attention, .attention, .attention]
        configuration.upBlockTypes = [.attention, .attention, .attention, .residual]
        (configuration.downsampleType, configuration.upsampleType) = (.resnet, .resnet)
        (configuration.attentionHeadDim, configuration.attnNormNumGroups) = (64, 32)
        (configuration.outChannels, configuration.numClassEmbeds) = (6, 1000)
        configuration.resnetTimeScaleShift = .scaleShift
        return configuration
    }
}

extension UNet2DConditionConfiguration {
    private static func pictures(_ change: (inout Self) -> Void) -> Self {
        var configuration = UNet2DConditionConfiguration()
        configuration.sampleSize = .square(64)
        (configuration.inChannels, configuration.outChannels) = (3, 6)
        configuration.downBlockTypes = [
            .residual, .simpleCrossAttention, .simpleCrossAttention, .simpleCrossAttention,
        ]
        configuration.midBlockType = .simpleCrossAttention
        configuration.upBlockTypes = [
            .simpleCrossAttention, .simpleCrossAttention, .simpleCrossAttention, .residual,
        ]
        (configuration.blockOutChannels, configuration.layersPerBlock) = ([192, 384, 576, 768], .same(3))
        configuration.attentionHeadDim = .same(64)
        configuration.resnetTimeScaleShift = .scaleShift
        change(&configuration)
        return configuration
    }

    /// The U-Net inside GLIDE's base.
    static let glideBase = pictures {
        ($0.crossAttentionDim, $0.classEmbedType) = (.same(512), .identity)
    }
    /// The first stage of DeepFloyd IF in its medium size; the values are from memory.
    static let deepFloydMedium = pictures {
        ($0.crossAttentionDim, $0.encoderHidDim, $0.actFn) = (.same(768), 4096, .gelu)
        ($0.crossAttentionNorm, $0.additionEmbedType) = (.group, .text)
        ($0.resnetSkipTimeAct, $0.timeEmbeddingActFn) = (true, .gelu)
    }
}

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

import Networks

/// The configurations of published models, with their parameter counts.
enum PublishedUNets {
    static let all: [(name: String, configuration: UNet2DConditionConfiguration, count: Int)] = [
        ("Stable Diffusion 1", stableDiffusion1, 859_520_964),
        ("Stable Diffusion 1, inpainting", inpainting, 859_535_364),
        ("Stable Diffusion 2", stableDiffusion2, 865_910_724),
        ("Stable Diffusion XL", large, 2_567_463_684),
        ("Stable Diffusion XL, refiner", refiner, 2_259_526_660),
        ("Stable Diffusion, x4 upscaler", upscaler, 473_398_020),
        ("LDM, ImageNet", latentClasses, 394_984_196),
        ("DeepFloyd IF-I-M", deepFloyd(192, 384, 576, 768), 371_605_830),
        ("DeepFloyd IF-I-L", deepFloyd(320, 640, 960, 1280), 935_365_830),
        ("DeepFloyd IF-I-XL", deepFloyd(704, 1408, 2112, 2816), 4_304_695_110),
    ]

    static let stableDiffusion1 = configured { $0.crossAttentionDim = .same(768) }

    static let inpainting = configured {
        $0 = stableDiffusion1
        $0.inChannels = 9
    }

    static let stableDiffusion2 = configured {
        $0.crossAttentionDim = .same(1024)
        $0.attentionHeadDim = .each([5, 10, 20, 20])
        $0.useLinearProjection = true
    }

    static let large = configured {
        $0.blockOutChannels = [320, 640, 1280]
        $0.downBlockTypes = [.plain, .crossAttention, .crossAttention]
        $0.upBlockTypes = [.crossAttention, .crossAttention, .plain]
        $0.crossAttentionDim = .same(2048)
        $0.attentionHeadDim = .each([5, 10, 20])
        $0.transformerLayersPerBlock = .each([.same(1), .same(2), .same(10)])
        $0.useLinearProjection = true
        $0.additionEmbedType = .textTime
        ($0.additionTimeEmbedDim, $0.projectionClassEmbeddingsInputDim) = (256, 2816)
    }

    static let refiner = configured {
        $0.blockOutChannels = [384, 768, 1536, 1536]
        $0.downBlockTypes = [.plain, .crossAttention, .crossAttention, .plain]
        $0.upBlockTypes = [.plain, .crossAttention, .crossAttention, .plain]
        $0.attentionHeadDim = .each([6, 12, 24, 24])
        $0.transformerLayersPerBlock = .same(.same(4))
        $0.useLinearProjection = true
        $0.additionEmbedType = .textTime
        ($0.additionTimeEmbedDim, $0.projectionClassEmbeddingsInputDim) = (256, 2560)
    }

    static let upscaler = configured {
        $0.inChannels = 7
        $0.blockOutChannels = [256, 512, 512, 1024]
        $0.downBlockTypes = [.plain, .crossAttention, .crossAttention, .crossAttention]
        $0.upBlockTypes = [.crossAttention, .crossAttention, .crossAttention, .plain]
        $0.crossAttentionDim = .same(1024)
        $0.onlyCrossAttention = .each([true, true, true, false])
        $0.numClassEmbeds = 1000
        $0.useLinearProjection = true
    }

    static let latentClasses = configured {
        $0.blockOutChannels = [256, 512, 1024]
        $0.downBlockTypes = [.crossAttention, .crossAttention, .crossAttention]
        $0.upBlockTypes = [.crossAttention, .crossAttention, .crossAttention]
        $0.crossAttentionDim = .same(512)
        $0.attentionHeadDim = .each([8, 16, 32])
    }

    /// The base models of DeepFloyd IF, which differ in their channels. The values are from memory, and diffusers' class
    /// counts these parameters; the published 4.3 billion of the largest agree.
    static func deepFloyd(_ channels: Int...) -> UNet2DConditionConfiguration {
        configured {
            $0.sampleSize = .square(64)
            ($0.inChannels, $0.outChannels, $0.actFn) = (3, 6, .gelu)
            $0.downBlockTypes = [
                .residual, .simpleCrossAttention, .simpleCrossAttention, .simpleCrossAttention,
            ]
            $0.midBlockType = .simpleCrossAttention
            $0.upBlockTypes = [
                .simpleCrossAttention, .simpleCrossAttention, .simpleCrossAttention, .residual,
            ]
            ($0.blockOutChannels, $0.layersPerBlock) = (channels, .same(3))
            $0.crossAttentionDim = .same(channels[3])
            ($0.encoderHidDim, $0.attentionHeadDim) = (4096, .same(64))
            ($0.crossAttentionNorm, $0.additionEmbedType) = (.group, .text)
            ($0.resnetSkipTimeAct, $0.resnetTimeScaleShift) = (true, .scaleShift)
            $0.timeEmbeddingActFn = .gelu
        }
    }

    private static func configured(
        _ change: (inout UNet2DConditionConfiguration) -> Void
    ) -> UNet2DConditionConfiguration {
        var configuration = UNet2DConditionConfiguration()
        change(&configuration)
        return configuration
    }
}

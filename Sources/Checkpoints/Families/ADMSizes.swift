import Layers

/// A published network of OpenAI's diffusion of pictures by what its names show, and what only its flags say.
/// Source: the flags that are published with the weights of guided diffusion and of iDDPM.
struct ADMNetwork {
    /// Whether each resolution mixes pixels by attention.
    var hasAttention = [false, false, false, true, true, true]
    /// How levels halve and double: networks of iDDPM by convolutions.
    var resampling = CompVisUNet.Resampling.residual
    /// Whether it enlarges a smaller picture that is laid beside the noisy one.
    var enlarges = false

    /// The network of names; without any, one of so many resolutions, of which the last three attend.
    init(_ unet: CompVisUNet? = nil, levels: Int = 6, enlarges: Bool = false) {
        self.enlarges = enlarges
        guard let unet else {
            hasAttention = (0..<levels).map { $0 >= levels - 3 }
            return
        }
        (hasAttention, resampling) = (unet.attentions.map { $0 != .none }, unet.resampling)
    }

    /// Whether it is of the code before guided diffusion.
    var isImproved: Bool { resampling == .convolution }

    /// Height and width of pictures. Published upsamplers of 512 pixels attend at two resolutions, those of 256 at three;
    /// networks of iDDPM at 16 pixels first.
    var side: Int {
        if isImproved { return 16 << (hasAttention.firstIndex(of: true) ?? 0) }
        let isLarger = enlarges && hasAttention.count { $0 } == 2
        return (4 << hasAttention.count) * (isLarger ? 2 : 1)
    }

    /// Four heads, or heads of 64 channels.
    var heads: HeadSplit {
        isImproved || side == 128 || enlarges && side == 256 ? .count(4) : .width(64)
    }

    /// Whether queries, keys and values of all heads follow each other: the network of 64 pixels alone.
    var isNewOrder: Bool { !isImproved && side == 64 }

    /// The number of times that it was trained with.
    var times: Int { isImproved ? 4000 : 1000 }

    /// Whether the table of β is the cosine's.
    var isCosine: Bool { isImproved || side == 64 }
}

/// What the shapes of such a file show; without a file those of the network of 256 pixels.
struct ADMSizes {
    /// What the names show.
    let network: ADMNetwork
    /// Channels of each resolution.
    private(set) var channels: [Int]
    /// Residual blocks of a level on the way down.
    private(set) var layers: Int
    /// Channels that it gives.
    private(set) var outputs = 6
    /// Features of a time before it is embedded; the first resolution may have others.
    private(set) var timeFeatures: Int
    /// Rows of the table of classes.
    private(set) var classes: Int? = 1000
    /// Whether time scales and shifts the norms.
    private(set) var scalesByTime = true

    /// - Parameters:
    ///   - usual: channels of the resolutions where there is no file.
    ///   - usualLayers: residual blocks of a level there.
    init(_ source: any TensorSource, enlarges: Bool = false, usual: [Int], usualLayers: Int = 2) {
        (channels, timeFeatures, layers) = (usual, usual[0], usualLayers)
        let unet = CompVisUNet(source.names, prefix: "")
        network = ADMNetwork(unet, levels: usual.count, enlarges: enlarges)
        guard let unet else { return }
        func rows(_ name: String) -> Int? { source.shape(of: name)?.first }
        layers = unet.layersPerBlock
        channels = unet.attentions.indices.map { level in
            rows("input_blocks.\(1 + level * (unet.layersPerBlock + 1)).0.out_layers.3.weight") ?? 0
        }
        outputs = rows("out.2.weight") ?? 3
        timeFeatures = source.shape(of: "time_embed.0.weight")?.extents.dropFirst().first ?? channels[0]
        classes = rows("label_emb.weight")
        scalesByTime = rows("input_blocks.1.0.emb_layers.1.weight") == 2 * channels[0]
    }

    /// Whether diffusers' class describes the network.
    var isPlain: Bool {
        guard case .width = network.heads else { return false }
        return !network.enlarges && !network.isImproved && timeFeatures == channels[0]
    }
}

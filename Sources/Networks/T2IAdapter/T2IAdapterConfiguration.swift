import Layers

/// The configuration of a `T2IAdapter`: the keys, values and defaults of diffusers' class (version 0.42), so that its
/// `config.json` is read and written as it stands.
public struct T2IAdapterConfiguration: Equatable, Sendable {
    /// How the blocks are made and where they halve.
    public enum AdapterType: String, Codable, Sendable, CaseIterable {
        /// Each block but the first halves, as the levels of Stable Diffusion 1 do.
        case full = "full_adapter"
        /// The third block alone halves, as Stable Diffusion XL needs it.
        case fullXL = "full_adapter_xl"
        /// As `full` with a quarter of the channels inside, and one block more.
        case light = "light_adapter"
    }

    /// Channels of the picture.
    public var inChannels = 3
    /// Channels of what the blocks give.
    public var channels = [320, 640, 1280, 1280]
    /// Residual blocks in a block.
    public var numResBlocks = 2
    /// The side of the square of pixels that becomes channels.
    public var downscaleFactor = 8
    /// How the blocks are made.
    public var adapterType = AdapterType.full

    /// The defaults of diffusers.
    public init() {}

    /// Channels of a picture whose squares are channels.
    var pixelChannels: Int { inChannels * downscaleFactor * downscaleFactor }

    /// What the blocks give: their channels, and whether they halve what comes in.
    var features: [(channels: Int, isHalved: Bool)] {
        switch adapterType {
        case .full: channels.enumerated().map { ($1, $0 > 0) }
        case .fullXL: channels.enumerated().map { ($1, $0 == 2) }
        case .light: channels.enumerated().map { ($1, $0 > 0) } + [(channels[channels.count - 1], true)]
        }
    }

    /// What is added on a U-Net's way down: channels, and how many pixels stand for one value along each side.
    public var additions: [(channels: Int, shrinking: Int)] {
        var shrinking = downscaleFactor
        return features.map { feature in
            if feature.isHalved { shrinking *= 2 }
            return (feature.channels, shrinking)
        }
    }
}

extension T2IAdapterConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("in_channels", \.inChannels), .init("channels", \.channels),
        .init("num_res_blocks", \.numResBlocks), .init("downscale_factor", \.downscaleFactor),
        .init("adapter_type", choice: \.adapterType),
    ]

    /// Checks that the values describe a network.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public func validate() throws {
        try checkRange("in_channels", inChannels, within: 1...1024)
        try checkRange("num_res_blocks", numResBlocks, within: 1...256)
        try checkRange("downscale_factor", downscaleFactor, within: 1...64)
        guard (1...16).contains(channels.count) else {
            throw NetworkError("channels", "must hold 1 to 16 numbers, not \(channels.count)")
        }
        for (index, count) in channels.enumerated() {
            try checkRange("channels[\(index)]", count, within: (adapterType == .light ? 4 : 1)...65_536)
        }
    }
}

extension T2IAdapterConfiguration.AdapterType: Named {}

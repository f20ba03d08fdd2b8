import Layers

/// The configuration of an `FSQModel`: the keys of diffusers' `VQModel` that describe encoder and decoder, and `levels`.
/// diffusers has no such class.
public struct FSQModelConfiguration: Equatable, Sendable {
    /// Encoder and decoder.
    public var coder = CoderConfiguration(latentChannels: 4)
    /// The number of levels of each channel of latents. By default about a thousand vectors (table 1 of the source of
    /// `FiniteScalarQuantizer`).
    public var levels = [8, 5, 5, 5]

    /// The defaults.
    public init() { coder.scalingFactor = 1 }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try coder.validate()
        try checkRange("levels", levels.count, within: 1...64)
        for (index, count) in levels.enumerated() {
            try checkRange("levels[\(index)]", count, within: 2...65_536)
        }
        let isCountable = levels.reduce(1.0) { $0 * Double($1) } <= 16_777_216
        guard isCountable else {
            throw NetworkError("levels", "has more than 16777216 vectors on its grid: give fewer levels")
        }
    }
}

extension FSQModelConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] =
        CoderConfiguration.keys.filter { $0.name != "latent_channels" }.map { $0.within(\.coder) } + [
            .init("levels", \.levels)
        ]
}

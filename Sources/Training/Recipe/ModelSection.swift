import Networks

extension Recipe {
    /// The network: its kind, whether it is conditioned on the class, and the keys of that kind's configuration.
    public struct ModelSection: Codable, Equatable, Sendable {
        /// Whether the network is conditioned on the class of a sample.
        public var classConditional = false
        /// The network's configuration. Those of its values that data can decide, and that are not the defaults, count
        /// as given by hand.
        public var network: NetworkConfiguration {
            didSet { given = network.keysAwayFromDefaults }
        }
        /// The keys of the configuration that data can decide and that were given by hand all the same.
        public private(set) var given: Set<String> = []

        /// A network with every default.
        public init(_ network: any DenoisingNetwork.Type = UNet2D.self) {
            self.network = NetworkConfiguration(defaultsOf: network)
        }

        /// The word for the network.
        public var kind: String { network.type.word }

        /// The keys of the configuration that are left to the data.
        var open: Set<String> { network.type.fittedKeys.subtracting(given) }

        /// The words for all networks; their class names are read, too.
        static var kinds: [String] { KnownNetworks.denoising.map { $0.word } }

        enum CodingKeys: String, CodingKey {
            case kind
            case classConditional = "class_conditional"
        }

        /// Reads `kind` and `class_conditional`, then the rest of the section as that kind's configuration.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            let word = try container.decode(String.self, forKey: .kind)
            guard let type = KnownNetworks.denoising(word: word) else {
                let wanted = "one of " + Self.kinds.joined(separator: ", ")
                throw DecodingError.dataCorruptedError(
                    forKey: .kind, in: container, debugDescription: wanted)
            }
            classConditional = try container.decode(Bool.self, forKey: .classConditional)
            let values = try decoder.container(keyedBy: ConfigurationName.self)
            let open = try type.fittedKeys.filter { key in
                try !values.contains(ConfigurationName(key))
                    || values.decodeNil(forKey: ConfigurationName(key))
            }
            network = try NetworkConfiguration(of: type, from: decoder, leaving: open)
            given = type.fittedKeys.subtracting(open)
        }

        /// Writes the section as `init(from:)` reads it: `null` for what is left to the data.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(kind, forKey: .kind)
            try container.encode(classConditional, forKey: .classConditional)
            try network.encode(to: encoder, leaving: open)
        }
    }
}

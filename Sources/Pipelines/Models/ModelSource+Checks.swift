import Checkpoints
import Layers
import Networks

extension ModelSource {
    /// Checks that a part can be built: its configuration, and the names and shapes of its weights. None of them is
    /// read, so it costs next to nothing however large the part is.
    /// - Throws: what `build` throws.
    func check<Network: ConfiguredNetwork>(_ type: Network.Type, _ component: ModelComponent) throws {
        let store = ParameterStore(.compared(try type.native(weights(of: component))))
        let object = try configuration(of: component)
        try explaining(component) {
            let configuration = try type.configuration(object)
            _ = try store.build { try Network(configuration, $0) }
        }
    }
}

extension AutoencoderConfiguration {
    /// The network that is built from it.
    var type: any ConfiguredNetwork.Type {
        switch self {
        case .variational: AutoencoderKL.self
        case .quantised: VQModel.self
        case .tiny: AutoencoderTiny.self
        }
    }
}

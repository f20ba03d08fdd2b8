import Checkpoints
import Layers
import Networks
import Tensors

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

extension ModelSource {
    /// An autoencoder with its weights.
    /// - Parameter isTiled: whether large pictures pass through it piece by piece.
    func buildAutoencoder(
        _ configuration: AutoencoderConfiguration, _ component: ModelComponent, elementType: ElementType,
        on device: Device, isTiled: Bool
    ) throws -> any PictureAutoencoder {
        func built<Network: LatentAutoencoder>(_ type: Network.Type) throws -> any PictureAutoencoder {
            let network = try build(type, component, elementType: elementType, on: device)
            return isTiled ? network.tiled() : network
        }
        return try built(configuration.type)
    }
}

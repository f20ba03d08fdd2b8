import Checkpoints
import Networks
import Tensors

// Parts of models with their weights, kept in the store of the options.

extension ModelOptions {
    /// All that a part depends on, as the name under which a `PartStore` keeps it.
    func partName(_ component: ModelComponent, of source: ModelSource, _ type: ElementType, _ rest: String)
        -> String
    {
        [
            source.path, component.rawValue, type.name, "\(device)", variant ?? "", configurations ?? "",
            source.replaced[component]?.path ?? "",
            source.isLive(component)
                ? "live"
                : source.adapters.map { "\($0.sha256):\($0.weight):\($0.blocks ?? "")" }.joined(
                    separator: " "), rest,
        ].joined(separator: "\u{0}")
    }

    /// A denoising network.
    /// - Throws: an error about its files.
    func network(_ type: any DenoisingNetwork.Type, _ component: ModelComponent, of source: ModelSource)
        throws -> any NoiseNetwork
    {
        func built<Network: DenoisingNetwork>(_ type: Network.Type) throws -> any NoiseNetwork {
            let network = try source.build(
                type, component, elementType: elementType, on: device, matrices: memory.network)
            return network.slicingAttention(memory.attentionSlicing)
        }
        let changes = try source.liveChanges(type, component, in: elementType, on: device)
        let network = try parts.part(
            partName(component, of: source, elementType, "\(memory.network) \(memory.attentionSlicing)"),
            byteCount: source.weights(of: component).byteCount(as: elementType)
        ) { source.isLive(component) ? try built(type) : try built(type).replayed(on: device) }
        // What is recorded on a device is recorded with the changes.
        return changes.map { AdaptedNetwork(network: network, changes: $0).replayed(on: device) } ?? network
    }
}

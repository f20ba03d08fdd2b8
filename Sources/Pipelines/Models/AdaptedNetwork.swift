import Layers
import Networks
import Tensors

/// A network whose layers have changes that are computed beside their weights, so that several may share it, each with changes of
/// its own.
struct AdaptedNetwork: NoiseNetwork {
    let network: any NoiseNetwork
    let changes: LayerChanges

    func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        changes.applied { network(x, time: time, conditions, dropout: dropout) }
    }

    func preparing(_ conditions: Conditions) -> Conditions {
        changes.applied { network.preparing(conditions) }
    }
}

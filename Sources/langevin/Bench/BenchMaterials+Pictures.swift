import Networks
import Tensors

/// One step of networks that draw pictures themselves: the call of the network for two of them.
extension BenchMaterials {
    func classUNet() throws -> BenchWork.Repetition {
        try pictureStep(UNet2D.self, .adm64) { configuration in
            Conditions(labels: try integers("labels", [207, Int64((configuration.numClassEmbeds ?? 1) - 1)]))
        }
    }

    /// The U-Net inside GLIDE's base, as diffusers' class has it, given what its text transformer makes once a run.
    func glideUNet() throws -> BenchWork.Repetition {
        try pictureStep(UNet2DCondition.self, .glideBase) { configuration in
            let width = configuration.crossAttentionDim.common ?? 512
            return Conditions(
                labels: try numbers("labels", [2, configuration.timeWidth]),
                context: try numbers("context", [2, 128, width]))
        }
    }

    func pixelTextUNet() throws -> BenchWork.Repetition {
        try pictureStep(UNet2DCondition.self, .deepFloydMedium) { configuration in
            Conditions(context: try numbers("context", [2, 77, configuration.encoderHidDim ?? 4096]))
        }
    }

    private func pictureStep<Network: DenoisingNetwork>(
        _: Network.Type, _ own: Network.Configuration,
        _ conditions: (Network.Configuration) throws -> Conditions
    ) throws -> BenchWork.Repetition {
        let (network, _): (Network, _) = try network(own)
        let traits = Network.traits(network.configuration)
        let size = traits.pictureSize ?? (64, 64)
        let x = try numbers("x", [2, traits.channels, size.height, size.width])
        let time = try integers("time", [500, 500])
        // What is made of a text alone is made once a run.
        let prepared = try inference { network.preparing(try conditions(network.configuration)) }
        let called = network.replayed(on: device)
        return { try inference { try called(x, time: time, prepared, dropout: nil).checked() } }
    }
}

import Layers
import Networks
import Tensors

extension StoredAutoencoder {
    /// The autoencoder with the shift of its latents in its own weights, where that is possible: its latents are those of
    /// the diffusion model but for the factor. diffusers' pipelines of one text, of classes and of nothing know no shift.
    ///
    /// The convolutions of single pixels at both ends take it: means lose s, and W·(z + s) + b = W·z + (b + s·W·1).
    /// - Throws: an error about a file that cannot be read.
    package func withoutShift() throws -> StoredAutoencoder {
        guard var settings = configuration.settings as? AutoencoderKLConfiguration,
            let shift = settings.shiftFactor, shift != 0, settings.useQuantConv, settings.usePostQuantConv
        else { return self }
        let (encoded, decoded) = ("quant_conv.bias", "post_quant_conv.bias")
        let channels = settings.coder.latentChannels
        let means = Tensor.full(shift, [channels])
        let moments = try weights.tensor(named: encoded).to(.float32)
        let matrix = try weights.tensor(named: "post_quant_conv.weight").to(.float32)
        var changed: [String: Tensor] = [:]
        changed[encoded] = moments - concatenated([means, .zeros([channels])])
        changed[decoded] =
            try weights.tensor(named: decoded).to(.float32)
            + matrix.reshaped([channels, channels]).sum([1], keepingDimensions: false) * shift
        settings.shiftFactor = nil
        return try StoredAutoencoder(
            path, AutoencoderConfiguration(settings), json: AutoencoderKL.json(settings),
            ChangedTensors(base: weights, changed: changed))
    }
}

/// Tensors of a source, some of them with other values.
private struct ChangedTensors: TensorSource {
    let base: any TensorSource
    let changed: [String: Tensor]

    var names: [String] { base.names }
    var files: [String] { base.files }
    func shape(of name: String) -> Shape? { base.shape(of: name) }
    func elementType(of name: String) -> ElementType? {
        changed[name]?.elementType ?? base.elementType(of: name)
    }
    func tensor(named name: String) throws -> Tensor { try changed[name] ?? base.tensor(named: name) }
}

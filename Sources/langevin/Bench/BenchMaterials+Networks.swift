import Layers
import Networks
import Pipelines
import Tensors

/// Networks, once through. Sizes of inputs are those that the configuration names.
extension BenchMaterials {
    func textUNet() throws -> BenchWork.Repetition {
        let (network, _): (UNet2DCondition, _) = try network(UNet2DCondition.stableDiffusion(.unet))
        let configuration = network.configuration
        guard !configuration.isConditional, configuration.additionEmbedType == nil,
            case .same(let width) = configuration.crossAttentionDim
        else { throw unsuitable("text and nothing else") }
        let size = configuration.sampleSize ?? .square(64)
        let x = try numbers("x", [2, configuration.inChannels, size.height, size.width])
        let time = try integers("time", [500, 500])
        let conditions = Conditions(context: try numbers("context", [2, 77, width]))
        let called = network.replayed(on: device)
        return { try inference { try called(x, time: time, conditions, dropout: nil).checked() } }
    }

    func transformer() throws -> BenchWork.Repetition {
        let (network, _): (DiT, _) = try network(DiTConfiguration(.extraLarge))
        let configuration = network.configuration
        let size = configuration.sampleSize
        let x = try numbers("x", [2, configuration.inChannels, size, size])
        let time = try integers("time", [500, 500])
        let classes = [min(207, configuration.nullClass), configuration.nullClass]
        let labels = try integers("labels", classes.map { Int64($0) })
        let called = network.replayed(on: device)
        return {
            try inference { try called(x, time: time, Conditions(labels: labels), dropout: nil).checked() }
        }
    }

    func decoder() throws -> BenchWork.Repetition {
        let (network, _): (AutoencoderKL, _) = try network(AutoencoderKL.stableDiffusion(.vae))
        let coder = network.configuration.coder
        let (height, width) = (
            coder.sampleSize.height / coder.pixelsPerLatent, coder.sampleSize.width / coder.pixelsPerLatent
        )
        let x = try numbers("x", [1, coder.latentChannels, height, width])
        return { try inference { try network.decode(x).checked() } }
    }

    func pictureUNet() throws -> BenchWork.Repetition {
        let (network, _): (UNet2D, _) = try network(.ddpmCifar)
        let (x, time) = try pictures(64, network.configuration)
        let called = network.replayed(on: device)
        return { try inference { try called(x, time: time, Conditions(), dropout: nil).checked() } }
    }

    /// Noisy pictures for a network, and their times.
    func pictures(_ count: Int, _ configuration: UNet2DConfiguration) throws -> (x: Tensor, time: Tensor) {
        guard !configuration.isConditional else { throw unsuitable("nothing but the time") }
        let size = configuration.sampleSize ?? .square(32)
        let x = try numbers("x", [count, configuration.inChannels, size.height, size.width])
        return (x, try integers("time", count, in: 0..<1000))
    }

    func opening() throws -> BenchWork.Repetition {
        guard let weights else { throw PipelineError("this work opens a folder: give it by --weights") }
        return {
            _ = try UNet2DCondition.load(weights, elementType: elementType, on: device)
            return nil
        }
    }

    private func unsuitable(_ condition: String) -> PipelineError {
        PipelineError(
            "--weights \(weights?.path ?? ""): this work conditions the network on \(condition), which is not what it needs"
        )
    }
}

extension Tensor {
    /// The tensor, unless it carries an error.
    func checked() throws -> Tensor {
        try rethrow()
        return self
    }
}

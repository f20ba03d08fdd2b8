import Checkpoints
import Layers
import Networks
import Storage

/// A control network in one file, under the names of the code that introduced them or of diffusers.
///
/// Such a file does not describe its network. It is a copy of the way down of the U-Net that it was made for, which the model
/// describes; what is its own follows from its shapes.
struct ControlFile {
    let path: String
    /// Its tensors under the names of diffusers.
    let weights: any TensorSource

    /// Opens a file.
    /// - Throws: `PipelineError` or `CheckpointError` where it holds no control network.
    init(_ path: String) throws {
        guard try !CheckpointFormat(of: path).isPickled else {
            throw PipelineError(
                "\(.controls): '\(path)' is a pickle, which is not read here: make a file of it with 'langevin convert \(path) OUT.safetensors'"
            )
        }
        self.path = path
        let file = ScaledSource.over(try plainTensors(of: path))
        if let original = CompVisControlNet(file.names) {
            weights = try LayoutSource(file, original.layout)
        } else if file.shape(of: Self.firstHint) != nil {
            weights = file
        } else {
            throw PipelineError(
                "\(.controls): '\(path)' holds no control network for a U-Net: give a file of one, or a folder with its config.json"
            )
        }
    }

    private static let firstHint = "controlnet_cond_embedding.conv_in.weight"

    /// The configuration of the network, which controls a U-Net.
    /// - Throws: `PipelineError` where its shapes are those of none.
    func configuration(of unet: UNet2DConditionConfiguration) throws -> ControlNetConfiguration {
        func extent(_ name: String, _ dimension: Int) -> Int? {
            weights.shape(of: name).flatMap { $0.rank > dimension ? $0[dimension] : nil }
        }
        var configuration = ControlNetConfiguration()
        configuration.unet = unet
        let hints = TensorLayout.count(weights.names, of: "controlnet_cond_embedding.blocks.")
        let channels =
            [extent(Self.firstHint, 0)]
            + stride(from: 1, to: hints, by: 2).map {
                extent("controlnet_cond_embedding.blocks.\($0).weight", 0)
            }
        guard let inputs = extent("conv_in.weight", 1), let pictures = extent(Self.firstHint, 1),
            !channels.contains(nil)
        else {
            throw PipelineError("\(.controls): '\(path)' lacks convolutions of a control network")
        }
        configuration.unet.inChannels = inputs
        configuration.conditioningChannels = pictures
        configuration.conditioningEmbeddingOutChannels = channels.compactMap(\.self)
        // What shows for which U-Net it was made.
        let text = weights.names.first { $0.hasSuffix("attn2.to_k.weight") }.flatMap { extent($0, 1) }
        if let text, configuration.unet.crossAttentionDim != .same(text) {
            configuration.unet.crossAttentionDim = .same(text)
        }
        configuration.unet.projectionClassEmbeddingsInputDim = extent("add_embedding.linear_1.weight", 1)
        return configuration
    }

    /// Channels of what it adds on the way down, in its order.
    var controlChannels: [Int] {
        (0..<TensorLayout.count(weights.names, of: "controlnet_down_blocks.")).map {
            weights.shape(of: "controlnet_down_blocks.\($0).weight")?.first ?? 0
        }
    }
}

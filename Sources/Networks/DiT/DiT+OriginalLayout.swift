import Checkpoints
import Layers
import Tensors

extension DiT {
    /// The names and shapes of the authors' program: queries, keys and values are one tensor, and all blocks
    /// share the embedders of time and class. Its table of places is computed here.
    /// Source: Peebles and Xie 2023 (arXiv:2212.09748) and the checkpoints published with it.
    /// - Parameter layers: the blocks of the network.
    public static func originalLayout(layers: Int) -> TensorLayout {
        let block = "transformer_blocks.{i}"
        func inEachBlock(_ name: String) -> [String] {
            (0..<layers).map { "transformer_blocks.\($0).norm1.emb.\(name).*" }
        }
        return [
            .dropped("pos_embed"),
            .renamed("x_embedder.proj.*", "pos_embed.proj.*"),
            .copied("t_embedder.mlp.0.*", inEachBlock("timestep_embedder.linear_1")),
            .copied("t_embedder.mlp.2.*", inEachBlock("timestep_embedder.linear_2")),
            .copied("y_embedder.embedding_table.*", inEachBlock("class_embedder.embedding_table")),
            .split("blocks.{i}.attn.qkv.*", ["q", "k", "v"].map { "\(block).attn1.to_\($0).*" }),
            .renamed("blocks.{i}.attn.proj.*", "\(block).attn1.to_out.0.*"),
            .renamed("blocks.{i}.mlp.fc1.*", "\(block).ff.net.0.proj.*"),
            .renamed("blocks.{i}.mlp.fc2.*", "\(block).ff.net.2.*"),
            .renamed("blocks.{i}.adaLN_modulation.1.*", "\(block).norm1.linear.*"),
            .renamed("final_layer.adaLN_modulation.1.*", "proj_out_1.*"),
            .renamed("final_layer.linear.*", "proj_out_2.*"),
        ]
    }
}

extension DiTConfiguration {
    /// The configuration of a checkpoint in the original layout, told from the shapes of its tensors.
    /// - Throws: `NetworkError` that names the tensor that is missing or tells of no published size.
    public init(originalLayout source: any TensorSource) throws {
        func shape(_ name: String, rank: Int) throws -> Shape {
            guard let shape = source.shape(of: name), shape.rank == rank else {
                throw NetworkError(name, "is not there, or has not \(rank) dimensions: this is no DiT")
            }
            return shape
        }
        let patches = try shape("x_embedder.proj.weight", rank: 4)
        let places = try shape("pos_embed", rank: 3)
        let classes = try shape("y_embedder.embedding_table.weight", rank: 2)
        let output = try shape("final_layer.linear.weight", rank: 2)
        let side = Int(Double(places[1]).squareRoot().rounded())
        let layers = source.names.count { $0.hasPrefix("blocks.") && $0.hasSuffix(".attn.qkv.weight") }
        let sizes = Size.allCases.map(\.shape)
        guard let size = sizes.first(where: { $0.heads * $0.headSize == patches[0] && $0.layers == layers })
        else {
            throw NetworkError(
                "x_embedder.proj.weight",
                "has \(patches[0]) features beside \(layers) blocks, which is no published size of DiT")
        }
        self.init()
        (numLayers, numAttentionHeads, attentionHeadDim) = size
        (inChannels, patchSize, sampleSize) = (patches[1], patches[2], side * patches[2])
        outChannels = output[0] / (patchSize * patchSize)
        numEmbedsAdaNorm = classes[0] - 1
        try validate()
    }
}

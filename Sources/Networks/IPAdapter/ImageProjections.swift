import Checkpoints
import Layers
import Tensors

/// The embedding of a picture as a whole becomes a few tokens by one layer and a norm (`ip-adapter`).
/// Parameters `proj.*`, `norm.*`.
/// Source: Ye et al. 2023 (arXiv:2308.06721), section 3.2.1.
struct LinearImageProjection: ImageProjection {
    static let className = "ImageProjection"
    static let features = ImageFeatures.embedding
    static func recognizes(_ file: any TensorSource) -> Bool {
        file.shape(of: "image_proj.proj.weight") != nil
    }

    let imageWidth: Int
    let tokenWidth: Int
    private let tokens: Int
    private let projection: Linear
    private let norm: LayerNorm

    init(_ shapes: TensorShapes, _ weights: Weights) throws {
        let matrix = try shapes.matrix("image_proj.proj.weight")
        (imageWidth, tokenWidth) = (matrix[1], try shapes.vector("image_proj.norm.weight"))
        guard matrix[0] % tokenWidth == 0 else {
            throw CheckpointError(
                "",
                "its projection gives \(matrix[0]) numbers (image_proj.proj.weight), which are no tokens of \(tokenWidth) (image_proj.norm.weight)"
            )
        }
        tokens = matrix[0] / tokenWidth
        projection = Linear(inputs: matrix[1], outputs: matrix[0], weights["proj"])
        norm = LayerNorm(width: tokenWidth, weights["norm"])
    }

    func callAsFunction(_ image: Tensor) -> Tensor {
        norm(projection(image).reshaped([image.shape[0], tokens, tokenWidth]))
    }
}

/// Each state of the encoder becomes a token by two layers and a norm (`full-face`).
/// Parameters `proj.0.*`, `proj.2.*`, `proj.3.*`.
struct StateProjection: ImageProjection {
    static let className = "IPAdapterFullImageProjection"
    static let features = ImageFeatures.states
    static func recognizes(_ file: any TensorSource) -> Bool {
        file.shape(of: "image_proj.proj.3.weight") != nil
    }

    let imageWidth: Int
    let tokenWidth: Int
    private let first: Linear
    private let second: Linear
    private let norm: LayerNorm

    init(_ shapes: TensorShapes, _ weights: Weights) throws {
        let matrix = try shapes.matrix("image_proj.proj.0.weight")
        (imageWidth, tokenWidth) = (matrix[1], try shapes.vector("image_proj.proj.3.weight"))
        let scope = weights["proj"]
        first = Linear(inputs: matrix[1], outputs: matrix[0], scope[0])
        second = Linear(inputs: matrix[0], outputs: tokenWidth, scope[2])
        norm = LayerNorm(width: tokenWidth, scope[3])
    }

    func callAsFunction(_ image: Tensor) -> Tensor { norm(second(first(image, then: .gelu))) }
}

/// Learned queries attend to the states of the encoder and to each other, several times (`plus`, `plus-face`).
/// Parameters `latents`, `proj_in.*`, `layers.N.*`, `proj_out.*`, `norm_out.*`.
/// Source: Ye et al. 2023, the "plus" models of its code; the resampler: Alayrac et al. 2022 (Flamingo, arXiv:2204.14198),
/// section 3.1.
struct ImageResampler: ImageProjection {
    static let className = "IPAdapterPlusImageProjection"
    static let features = ImageFeatures.states
    static func recognizes(_ file: any TensorSource) -> Bool { file.shape(of: "image_proj.latents") != nil }

    let imageWidth: Int
    let tokenWidth: Int
    private let queries: Tensor
    private let input: Linear
    private let layers: [ResamplerLayer]
    private let output: Linear
    private let norm: LayerNorm

    init(_ shapes: TensorShapes, _ weights: Weights) throws {
        let queries = try shapes.shape("image_proj.latents", rank: 3)
        let width = queries[2]
        imageWidth = try shapes.matrix("image_proj.proj_in.weight")[1]
        tokenWidth = try shapes.matrix("image_proj.proj_out.weight")[0]
        self.queries = weights.parameter(
            "latents", queries, .normal(deviation: 1 / Double(width).squareRoot()))
        input = Linear(inputs: imageWidth, outputs: width, weights["proj_in"])
        layers = try (0..<shapes.count { "image_proj.layers.\($0).0.to_q.weight" }).map { index in
            try ResamplerLayer(
                width: width, inner: shapes.matrix("image_proj.layers.\(index).0.to_q.weight")[0],
                hidden: shapes.matrix("image_proj.layers.\(index).1.1.weight")[0], weights["layers"][index])
        }
        output = Linear(inputs: width, outputs: tokenWidth, weights["proj_out"])
        norm = LayerNorm(width: tokenWidth, weights["norm_out"])
    }

    func callAsFunction(_ image: Tensor) -> Tensor {
        let states = input(image)
        let start = queries.expanded(to: [image.shape[0], queries.shape[1], queries.shape[2]])
        return norm(output(layers.reduce(start) { $1($0, to: states) }))
    }
}

/// Attention of queries to states and to themselves, then two layers, each behind a norm and beside a short cut.
/// Parameters `0.norm1.*` (of the states), `0.norm2.*` (of the queries), `0.to_q.*`, `0.to_kv.*`, `0.to_out.*`, `1.0.*`, `1.1.*`,
/// `1.3.*`.
private struct ResamplerLayer {
    /// Features of a head in every published file; the shapes do not tell.
    static let headSize = 64

    let stateNorm: LayerNorm
    let queryNorm: LayerNorm
    let query: Linear
    let keyAndValue: Linear
    let output: Linear
    let norm: LayerNorm
    let first: Linear
    let second: Linear
    let heads: Int

    /// - Parameters:
    ///   - inner: features of all heads.
    ///   - hidden: features between the two layers.
    init(width: Int, inner: Int, hidden: Int, _ weights: Weights) throws {
        guard inner % Self.headSize == 0 else {
            throw CheckpointError(
                "",
                "\(weights.path).0.to_q.weight gives \(inner) numbers, which are no heads of \(Self.headSize)"
            )
        }
        heads = inner / Self.headSize
        let (attention, rest) = (weights[0], weights[1])
        stateNorm = LayerNorm(width: width, attention["norm1"])
        queryNorm = LayerNorm(width: width, attention["norm2"])
        query = Linear(inputs: width, outputs: inner, bias: false, attention["to_q"])
        keyAndValue = Linear(inputs: width, outputs: 2 * inner, bias: false, attention["to_kv"])
        output = Linear(inputs: inner, outputs: width, bias: false, attention["to_out"])
        norm = LayerNorm(width: width, rest[0])
        first = Linear(inputs: width, outputs: hidden, bias: false, rest[1])
        second = Linear(inputs: hidden, outputs: width, bias: false, rest[3])
    }

    /// `[batch, queries, width]`, the shape stays.
    func callAsFunction(_ queries: Tensor, to states: Tensor) -> Tensor {
        let normed = queryNorm(queries)
        let pairs = keyAndValue(concatenated([stateNorm(states), normed], along: 1)).chunked(2, of: -1)
        func split(_ x: Tensor) -> Tensor {
            x.reshaped([x.shape[0], x.shape[1], heads, Self.headSize]).transposed(1, 2)
        }
        let mixed = attention(query: split(query(normed)), key: split(pairs[0]), value: split(pairs[1]))
        let attended = output(
            mixed.transposed(1, 2).reshaped([queries.shape[0], queries.shape[1], heads * Self.headSize]),
            then: .nothing, adding: queries)
        return second(first(norm(attended), then: .gelu), then: .nothing, adding: attended)
    }
}

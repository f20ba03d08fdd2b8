import Tensors

/// What an autoencoder makes of pictures while it is trained.
public struct Reconstruction: Sendable {
    /// The pictures again, `[batch, channels, height, width]`.
    public let pictures: Tensor
    /// What the network's kind adds to the error of reconstruction, each `[batch]` and not weighted: `kl`, in nats for
    /// each value of a picture, of a KL autoencoder; `codebook` and `commitment` of one with a codebook.
    public var penalties: [(name: String, values: Tensor)] = []
    /// What a codebook that is learned did to the latents.
    public var quantization: Quantization?
    /// The vectors that stand for the latents, where there is a codebook or a grid.
    public var use: CodebookUse?

    /// A reconstruction.
    public init(_ pictures: Tensor) { self.pictures = pictures }
}

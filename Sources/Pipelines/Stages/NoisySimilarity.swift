import Diffusion
import Tensors

/// How alike the texts of pictures and the noisy pictures are, for guidance up its gradient.
package struct NoisySimilarity: Sendable {
    /// The likeness for some of the pictures: of samples `[batch, …]` at a level a number each, `[batch]`; differentiable in
    /// the samples.
    let value: @Sendable (_ pictures: Range<Int>) -> @Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor
    /// Begins with the digests of its files.
    let digests: @Sendable () throws -> ModelDigests
}

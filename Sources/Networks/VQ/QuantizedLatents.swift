import Tensors

/// The latents of a step, put together by the vectors that stand for them. Batches of one step are added up.
public struct QuantizedLatents: Sendable {
    /// The latents, `[latents, width]`.
    public let rows: Tensor
    /// How many latents each vector stands for, `[count]`.
    public let counts: Tensor
    /// Their sum for each vector, `[count, width]`.
    public let sums: Tensor

    private init(rows: Tensor, counts: Tensor, sums: Tensor) {
        (self.rows, self.counts, self.sums) = (rows, counts, sums)
    }

    /// The latents of a batch.
    /// - Parameter count: the number of vectors in the codebook.
    public init(_ quantization: Quantization, vectors count: Int) {
        self = withoutGradients {
            let rows = quantization.encoded.permuted(0, 2, 3, 1).flattened(to: 2).detached()
                .to(quantization.vectors.elementType)
            let indices = quantization.indices.flattened()
            return QuantizedLatents(
                rows: rows, counts: indices.counts(upTo: count, as: rows.elementType),
                sums: rows.summed(by: indices, into: count))
        }
    }

    /// The latents of two batches.
    public static func + (first: QuantizedLatents, second: QuantizedLatents) -> QuantizedLatents {
        withoutGradients {
            QuantizedLatents(
                rows: concatenated([first.rows, second.rows]), counts: first.counts + second.counts,
                sums: first.sums + second.sums)
        }
    }
}

extension Tensor {
    /// The rows of this matrix `[rows, width]` added up by their index: `[count, width]`.
    ///
    /// That is what the gradient of looking rows up in a table computes, without a matrix of rows and indices.
    fileprivate func summed(by indices: Tensor, into count: Int) -> Tensor {
        withGradients {
            do {
                let table = Tensor.zeros([count, shape[1]], elementType, on: device).requiringGradient()
                return try gradients(
                    of: [table.embedding(indices)], withRespectTo: [table], outputGradients: [self])[0]
                    ?? table.detached()
            } catch {
                return Tensor(failure: error)
            }
        }
    }

    /// How often each number from 0 to below `count` stands in this vector of whole numbers, `[count]`.
    func counts(upTo count: Int, as type: ElementType) -> Tensor {
        Tensor.ones([elementCount, 1], type, on: device).summed(by: self, into: count).flattened()
    }
}

import Tensors

/// y = x · Wᵀ + b over the innermost dimension. Parameters `weight` `[outputs, inputs]` and `bias`.
public struct Linear: Sendable {
    let weight: Matrix
    let bias: Tensor?
    let name: String

    /// A layer from `inputs` to `outputs` features.
    /// - Parameter initializer: how weight and bias begin, `fanIn` where `nil`.
    public init(
        inputs: Int, outputs: Int, bias: Bool = true, initializer: Initializer? = nil, _ weights: Weights
    ) {
        let initializer = initializer ?? .fanIn(inputs)
        name = weights.path
        weight = weights.matrix("weight", [outputs, inputs], initializer)
        self.bias = bias ? weights.parameter("bias", [outputs], initializer) : nil
    }

    /// A layer of a matrix, without bias.
    init(_ name: String, _ matrix: Tensor, prepares: Bool) {
        (self.name, bias) = (name, nil)
        let isPrepared = prepares && PreparedWeights.canPack(matrix.shape, matrix.elementType)
        weight = isPrepared ? .prepared(PreparedWeights(matrix)) : .plain(matrix)
    }

    /// `[…, inputs]` → `[…, outputs]`
    public func callAsFunction(_ x: Tensor) -> Tensor { self(x, then: .nothing) }

    /// residual + gate · after(x·Wᵀ + b), in one pass over memory where the processor has a kernel for it.
    ///
    /// - Parameters:
    ///   - x: `[…, inputs]`
    ///   - after: what follows the product; with `geglu` half of the outputs gate the others.
    ///   - residual: of the shape of the result.
    ///   - gate: `[batch, 1, outputs]`
    /// - Returns: `[…, outputs]`, half as many features with `geglu`.
    package func callAsFunction(
        _ x: Tensor, then after: AfterProduct, adding residual: Tensor? = nil, gatedBy gate: Tensor? = nil
    ) -> Tensor {
        guard let change = LayerChanges.change(of: name) else { return plain(x, after, residual, gate) }
        // A function of the result waits for the change; without one, kernels keep what they do at once.
        guard after == .nothing else {
            let changed = after(change.added(to: plain(x, .nothing, nil, nil), reading: x))
            return with(residual, gate, changed)
        }
        return change.added(to: plain(x, .nothing, residual, gate), reading: x, gatedBy: gate)
    }

    private func plain(_ x: Tensor, _ after: AfterProduct, _ residual: Tensor?, _ gate: Tensor?) -> Tensor {
        if case .prepared(let weights) = weight, weights.serve(x) {
            return x.linear(
                packed: weights.packedMatrix(isGated: after == .geglu), bias: bias, outputs: weights.shape[0],
                then: after, residual: residual, gate: gate)
        }
        return with(residual, gate, after(watched(weight.product(x, bias: bias), name, "Linear")))
    }

    /// residual + gate · result
    private func with(_ residual: Tensor?, _ gate: Tensor?, _ result: Tensor) -> Tensor {
        guard let residual else { return gate.map { result * $0 } ?? result }
        return gate.map { residual.adding(result, gatedBy: $0) } ?? residual + result
    }
}

extension AfterProduct {
    /// The function by itself.
    fileprivate func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .nothing: x
        case .silu: x.silu()
        case .gelu: x.gelu()
        case .approximateGELU: x.gelu(approximate: true)
        case .geglu: x.geglu()
        }
    }
}

/// A table of vectors, one for each whole number. Parameter `weight` `[count, width]`.
public struct Embedding: Sendable {
    let weight: Tensor
    let name: String

    /// A table of `count` vectors of `width` numbers; `deviation` is theirs before training.
    public init(count: Int, width: Int, deviation: Double = 1, _ weights: Weights) {
        name = weights.path
        weight = weights.parameter("weight", [count, width], .normal(deviation: deviation))
    }

    private init(weight: Tensor, name: String) { (self.weight, self.name) = (weight, name) }

    /// The first vectors of the table, and others after them.
    /// - Parameter vectors: `[others, width]`
    package func prefix(_ count: Int, followedBy vectors: Tensor) -> Embedding {
        let others = vectors.to(weight.elementType).to(weight.device)
        return Embedding(weight: concatenated([weight.slice(0..<count, of: 0), others]), name: name)
    }

    /// `[…]` of `int64` → `[…, width]`
    public func callAsFunction(_ indices: Tensor) -> Tensor {
        watched(weight.embedding(indices), name, "Embedding")
    }
}

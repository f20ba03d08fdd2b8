import Tensors

/// How the divergence ∇·f of a vector field is found, by differentiating it.
public enum Divergence: Sendable, Equatable {
    /// The trace of the Jacobian, row by row: one backward pass for each element of an example.
    case exact
    /// Hutchinson's estimate E[vᵀ·J·v] by one probe v a path: right on average at the price of one pass.
    /// Source: Hutchinson 1990 (Commun. Stat. Simul. Comput. 19), equation 5; Grathwohl et al. 2019
    /// (FFJORD, arXiv:1810.01367), equation 7, for the one probe kept along a path.
    case hutchinson(Probe)

    /// The law of a probe: mean 0, covariance 1.
    public enum Probe: String, Sendable, Codable, CaseIterable {
        /// ±1 with equal chances: the least variance.
        case rademacher
        /// Standard normal.
        case gaussian
    }

    /// A probe for samples, `nil` where none is needed.
    func probe(for x: Tensor, _ generator: RandomGenerator) -> Tensor? {
        switch self {
        case .exact: nil
        case .hutchinson(.rademacher):
            (generator.coin(x.shape, probability: 0.5).to(x.elementType) * 2 - 1).to(x.device)
        case .hutchinson(.gaussian): generator.normal(x.shape, x.elementType).to(x.device)
        }
    }

    /// The value of a field and its divergence at samples `[batch, …]`: `[batch, …]` and `[batch]`.
    ///
    /// The field must treat every example by itself.
    /// - Parameter probe: as `probe(for:_:)` gave it; without one the divergence is exact.
    /// - Throws: `TensorError` where the field cannot be differentiated.
    package static func value(
        of field: (Tensor) -> Tensor, at x: Tensor, probe: Tensor?
    ) throws -> (value: Tensor, divergence: Tensor) {
        try withGradients {
            let point = x.requiringGradient()
            let value = field(point)
            func pulled(_ output: Tensor, _ weight: Tensor?, keeping: Bool) throws -> Tensor {
                let found = try gradients(
                    of: [output], withRespectTo: [point], outputGradients: weight.map { [$0] },
                    differentiable: keeping)
                return (found[0] ?? x * 0).detached()
            }
            if let probe {
                let product = try pulled(value, probe, keeping: false)
                return (value.detached(), (product * probe).sumPerExample())
            }
            let rows = value.flattened(from: 1)
            var trace = Tensor.zeros([x.shape[0]], x.elementType, on: x.device)
            for index in 0..<rows.shape[1] {
                // Examples do not meet, so one pass serves the whole batch. The graph is kept for the next.
                let row = try pulled(rows.select(index, of: 1).sum(), nil, keeping: true)
                trace = trace + row.flattened(from: 1).select(index, of: 1)
            }
            return (value.detached(), trace)
        }
    }
}

import Storage
import Tensors

/// What an adapter changes in one layer: its factors, and the scale of their product.
///
/// Hu et al. 2021 (arXiv:2106.09685) for LoRA, Liu et al. 2024 (arXiv:2402.09353) for DoRA, Hyeon-Woo et al. 2021
/// (arXiv:2108.06098) for LoHa, Yeh et al. 2023 (arXiv:2309.14859) for LoKr and the Tucker forms.
public struct AdapterChange: Sendable {
    /// The layer as the file calls it.
    public let layer: String
    private let factors: [AdapterFactor: Tensor]
    private let scale: Double

    /// - Parameters:
    ///   - factors: the tensors of a layer.
    ///   - alpha: what the file says elsewhere of its alpha; the rank where neither says.
    ///   - dividesByRoot: whether alpha is divided by the root of the rank (rank-stabilized LoRA).
    /// - Throws: `CheckpointError` where a factor is missing or alpha is no number.
    init(_ layer: String, _ factors: [AdapterFactor: Tensor], alpha: Double?, dividesByRoot: Bool) throws {
        (self.layer, self.factors) = (layer, factors)
        let own = try factors[.alpha].map { alpha in
            guard alpha.elementCount == 1 else {
                throw CheckpointError("", "the alpha of \(quoted(layer)) is no single number")
            }
            return try alpha.to(.float64).reshaped([]).item(Double.self)
        }
        let ranked = [AdapterFactor.down, .hada1b, .kron1b, .kron2b].lazy.compactMap { factors[$0] }.first
        let rank = ranked.flatMap { $0.shape.first }.map(Double.init)
        // Without factors of a rank, alpha has nothing to be divided by.
        scale = rank.map { (own ?? alpha ?? $0) / (dividesByRoot ? $0.squareRoot() : $0) } ?? 1
        try checkPairs()
    }

    /// Factors that go together.
    private static let pairs: [[AdapterFactor]] = [
        [.down, .up], [.hada1a, .hada1b, .hada2a, .hada2b], [.kron1a, .kron1b], [.kron2a, .kron2b],
        [.hadaCore1, .hadaCore2],
    ]

    private func checkPairs() throws {
        for pair in Self.pairs {
            let missing = pair.filter { factors[$0] == nil }
            guard !missing.isEmpty, missing.count < pair.count else { continue }
            throw CheckpointError(
                "",
                "the layer \(quoted(layer)) has no \(missing.map(\.rawValue).joined(separator: " and ")) factor"
            )
        }
        let hasFirst = factors[.kron1] != nil || factors[.kron1a] != nil
        let hasSecond = factors[.kron2] != nil || factors[.kron2a] != nil
        guard hasFirst == hasSecond else {
            throw CheckpointError(
                "", "the layer \(quoted(layer)) has one of the two factors of a Kronecker product alone")
        }
        guard changesWeight || factors[.bias] != nil else {
            throw CheckpointError("", "the layer \(quoted(layer)) has no factors that change it")
        }
    }

    /// Whether there is a product that is added to the weight.
    private var changesWeight: Bool {
        [.down, .hada1a, .kron1, .kron1a, .difference, .magnitude].contains { factors[$0] != nil }
    }

    /// What is added to the bias, `nil` where nothing is.
    var biasChange: Tensor? { factors[.bias] ?? factors[.upBias].map { $0.to(.float32) * scale } }

    /// A weight with the change.
    /// - Parameters:
    ///   - weight: of the layer, in float32 or float64, or the parts that the file holds as one, one under the other.
    ///   - strength: what the change is multiplied with.
    /// - Throws: `CheckpointError` where a factor does not fit.
    func applied(to weight: Tensor, strength: Double) throws -> Tensor {
        guard changesWeight else { return weight }
        var result = weight
        if let update = try update(weight.shape, weight.elementType) {
            result = result + update * (scale * strength)
        }
        guard let magnitude = factors[.magnitude] else { return result }
        let rows = weight.shape[0]
        guard magnitude.elementCount == rows, magnitude.shape.first == rows else {
            throw CheckpointError(
                "",
                "the lengths that \(quoted(layer)) keeps have the shape \(magnitude.shape), not one for each of \(rows) rows"
            )
        }
        let flat = result.reshaped([rows, -1])
        let length = flat.norm([1], keepingDimensions: true)
        return (flat * (magnitude.to(weight.elementType).reshaped([rows, 1]) / length)).reshaped(weight.shape)
    }

    /// A and B of a plain low-rank change of a weight, B scaled; `nil` of other forms.
    /// - Throws: `CheckpointError` where they do not fit.
    func lowRank(_ shape: Shape, strength: Double, _ type: ElementType) throws -> (down: Tensor, up: Tensor)?
    {
        let others = factors.keys.filter { ![.down, .up, .alpha, .bias, .upBias].contains($0) }
        guard others.isEmpty, let down = factors[.down], let up = factors[.up] else { return nil }
        let rank = down.shape.first ?? 0
        guard rank > 0, up.elementCount == shape[0] * rank,
            down.elementCount * shape[0] == rank * shape.elementCount
        else {
            // The sentence is that of the product.
            _ = try update(shape, .float32)
            return nil
        }
        let wide = type == .float64 ? ElementType.float64 : .float32
        return (
            down.to(type).reshaped(Shape([rank] + shape.extents.dropFirst())),
            (up.to(wide).reshaped([shape[0], rank]) * (scale * strength)).to(type)
        )
    }

    /// The change of a weight of a shape, not scaled; `nil` where the lengths of rows alone change.
    private func update(_ shape: Shape, _ type: ElementType) throws -> Tensor? {
        func factor(_ name: AdapterFactor) -> Tensor? { factors[name]?.to(type) }
        var product: Tensor?
        if let down = factor(.down), let up = factor(.up) {
            product =
                factor(.middle).map { Self.tucker($0, rows: up, columns: down) } ?? Self.product(up, down)
        } else if let a1 = factor(.hada1a), let b1 = factor(.hada1b), let a2 = factor(.hada2a),
            let b2 = factor(.hada2b)
        {
            if let core1 = factor(.hadaCore1), let core2 = factor(.hadaCore2) {
                product = Self.tucker(core1, a1, b1) * Self.tucker(core2, a2, b2)
            } else {
                product = a1.matmul(b1) * a2.matmul(b2)
            }
        } else if let first = factor(.kron1)
            ?? factor(.kron1a).flatMap({ a in factor(.kron1b).map { a.matmul($0) } })
        {
            product =
                factor(.kron2)
                ?? factor(.kron2a).flatMap { a in
                    factor(.kron2b).map { b in
                        factor(.kronCore2).map { Self.tucker($0, a, b) }
                            ?? a.matmul(b.reshaped([b.shape[0], -1]))
                    }
                }
            product = product.map { Self.kronecker(first, $0) }
        } else {
            product = factor(.difference)
        }
        guard let product else { return nil }
        guard product.failure == nil, product.elementCount == shape.elementCount else {
            let shapes = factors.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                "\($0.key.rawValue) \($0.value.shape)"
            }
            throw CheckpointError(
                "",
                "the factors of \(quoted(layer)) (\(shapes.joined(separator: ", "))) do not give a weight of the shape \(shape)"
            )
        }
        return product.reshaped(shape)
    }

    /// B·A, where a kernel lies in A.
    private static func product(_ up: Tensor, _ down: Tensor) -> Tensor {
        up.reshaped([up.shape[0], -1]).matmul(down.reshaped([down.shape[0], -1]))
    }

    /// LoCon's Tucker form: a core `[rows' rank, columns' rank, height, width]` between B and A.
    private static func tucker(_ core: Tensor, rows: Tensor, columns: Tensor) -> Tensor {
        einsum(
            "mnhw,im,nj->ijhw", core, rows.reshaped([rows.shape[0], -1]),
            columns.reshaped([columns.shape[0], -1]))
    }

    /// That of LoHa and LoKr: a core `[rank, rank, height, width]`, its first side with a `[rank, outputs]`, its second with b
    /// `[rank, inputs]`.
    private static func tucker(_ core: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
        einsum("ijkl,jr,ip->prkl", core, b, a)
    }

    /// The Kronecker product of a matrix and a matrix or a kernel, `[outputs, inputs, …]`.
    private static func kronecker(_ first: Tensor, _ second: Tensor) -> Tensor {
        let inner = second.reshaped([second.shape[0], second.rank > 1 ? second.shape[1] : 1, -1])
        let product = einsum("ab,cdk->acbdk", first, inner)
        return product.reshaped([first.shape[0] * inner.shape[0], first.shape[1] * inner.shape[1], -1])
    }
}

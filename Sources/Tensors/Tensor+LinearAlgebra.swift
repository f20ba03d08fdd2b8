// Matrices: the last two dimensions; the ones before are a batch.

private let matrixProduct = Operator("aten::matmul")
private let affine = Operator("aten::linear")
private let affineInt8 = Operator("aten::_weight_int8pack_mm")
private let einsteinSum = Operator("aten::einsum")
private let outerProduct = Operator("aten::outer")
private let cholesky = Operator("aten::linalg_cholesky")
private let symmetricEigen = Operator("aten::linalg_eigh")
private let singularValues = Operator("aten::linalg_svd")
private let solveSystem = Operator("aten::linalg_solve")
private let inverseMatrix = Operator("aten::linalg_inv")
private let signLogDeterminant = Operator("aten::linalg_slogdet")
private let diagonalOf = Operator("aten::diagonal")
private let diagonalMatrix = Operator("aten::diag_embed")
private let lowerTriangle = Operator("aten::tril")
private let upperTriangle = Operator("aten::triu")
private let covarianceOf = Operator("aten::cov")
private let pairwiseDistances = Operator("aten::cdist")

extension Tensor {
    /// The matrix product.
    public func matmul(_ other: Tensor) -> Tensor { matrixProduct(.tensor(self), .tensor(other)) }

    /// x · weightᵀ + bias, `weight` being `[outputs, inputs]`.
    public func linear(_ weight: Tensor, bias: Tensor? = nil) -> Tensor {
        affine(.tensor(self), .tensor(weight), .optional(bias))
    }

    /// x · (values · scales)ᵀ, by rows: this tensor is `[rows, inputs]`, `values` `[outputs, inputs]` in
    /// `int8`, and `scales` `[outputs]` of this tensor's element type.
    package func linear(int8 values: Tensor, scales: Tensor) -> Tensor {
        affineInt8(.tensor(self), .tensor(values), .tensor(scales))
    }

    /// The matrix of products of two vectors.
    public func outer(_ other: Tensor) -> Tensor { outerProduct(.tensor(self), .tensor(other)) }

    /// The lower triangular L with L·Lᵀ = self.
    public func choleskyFactor() -> Tensor { cholesky(.tensor(self)) }

    /// Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix.
    public func symmetricEigen() -> (values: Tensor, vectors: Tensor) {
        let results = Tensors.symmetricEigen.tensors(2, .tensor(self))
        return (results[0], results[1])
    }

    /// U, the singular values, and Vᵀ.
    public func singularValueDecomposition() -> (u: Tensor, s: Tensor, vTransposed: Tensor) {
        let results = singularValues.tensors(3, .tensor(self), .bool(false))
        return (results[0], results[1], results[2])
    }

    /// The X of self · X = right.
    public func solve(_ right: Tensor) -> Tensor { solveSystem(.tensor(self), .tensor(right)) }

    /// The inverse matrix.
    public func inverse() -> Tensor { inverseMatrix(.tensor(self)) }

    /// ln |det|.
    public func logDeterminant() -> Tensor { signLogDeterminant.tensors(2, .tensor(self))[1] }

    /// The diagonal of the last two dimensions.
    public func diagonal() -> Tensor { diagonalOf(.tensor(self), .int(0), .int(-2), .int(-1)) }

    /// The matrix with this vector on its diagonal.
    public func diagonalMatrix() -> Tensor { Tensors.diagonalMatrix(.tensor(self)) }

    /// The sum of the diagonal.
    public func trace() -> Tensor { diagonal().sum([-1]) }

    /// Zero above the given diagonal.
    public func lowerTriangle(_ diagonal: Int = 0) -> Tensor {
        Tensors.lowerTriangle(.tensor(self), .int(diagonal))
    }

    /// Zero below the given diagonal.
    public func upperTriangle(_ diagonal: Int = 0) -> Tensor {
        Tensors.upperTriangle(.tensor(self), .int(diagonal))
    }

    /// The Euclidean distance of every row of `[count, features]` to every row of `other`: `[count, count′]`
    public func distances(to other: Tensor) -> Tensor {
        pairwiseDistances(.tensor(self), .tensor(other), .double(2), .none)
    }

    /// The covariance matrix `[features, features]` of examples `[count, features]`, unbiased.
    public func covariance() -> Tensor { covarianceOf(.tensor(transposed())) }
}

/// A product of tensors summed over repeated indices: `einsum("bchw,bdhw->bcd", a, b)`.
public func einsum(_ equation: String, _ tensors: Tensor...) -> Tensor {
    einsteinSum(.string(equation), .tensors(tensors))
}

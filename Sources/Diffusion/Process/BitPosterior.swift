import Tensors

/// What is known of bits ±1 at an earlier level s from those at a level t.
///
/// With r = α_t/α_s, x_s keeps its sign until t with probability ½·(1 + r), and has that of the data with ½·(1 + α_s); so
/// by Bayes' rule P(x_s = 1 | x_t, x₀) = (1 + r·x_t)·(1 + α_s·x₀) / (2·(1 + r·α_s·x_t·x₀)).
/// Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), table App.1 (binomial), for any two levels.
struct BitPosterior {
    /// r of each example, `[batch, 1, …]`, or of all of them.
    let kept: Tensor
    /// α_s, likewise.
    let before: Tensor

    /// P(x_s = 1 | x_t, x₀) of bits x_t and x₀, `[batch, …]` each.
    func callAsFunction(_ x: Tensor, data: Tensor) -> Tensor {
        (1 + kept * x) * (1 + before * data) / (2 * (1 + kept * before * x * data))
    }

    /// P(x_s = 1 | x_t, x₀) where x₀ is 1, and where it is −1.
    func callAsFunction(_ x: Tensor) -> (ofOne: Tensor, ofMinusOne: Tensor) {
        let one = Tensor.full(1, [], x.elementType, on: x.device)
        return (self(x, data: one), self(x, data: -one))
    }
}

extension Tensor {
    /// 1 where a number is not below 0, and −1 elsewhere.
    var bits: Tensor { (self .>= 0).to(elementType) * 2 - 1 }
}

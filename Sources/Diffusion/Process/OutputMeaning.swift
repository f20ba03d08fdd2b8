import Tensors

/// What the output F of a network means: how data and noise follow from it, and what it is trained towards.
///
/// Every meaning is linear in the data and the noise of x = α·x₀ + σ·ε, with x in the scaling of the
/// `Parameterization` that holds the meaning.
public protocol OutputMeaning: Sendable {
    /// The word for it in recipes and files: `noise`, `data`, `v`, `flow`, `score`, `edm`, `consistency`.
    var word: String { get }

    /// What F should be for data and noise, shaped like them.
    /// - Parameters:
    ///   - data: x₀ `[batch, …]`
    ///   - noise: ε `[batch, …]`
    ///   - alpha: α of each example as `[batch, 1, …]`, or of all of them.
    ///   - sigma: σ, likewise.
    func target(data: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor

    /// Data and noise from the output for samples at one level.
    ///
    /// Levels where there is no answer are the caller's to refuse (`isDefined(at:)`).
    /// - Parameters:
    ///   - output: F `[batch, …]`
    ///   - x: the sample that it was computed for, `[batch, …]`.
    func estimate(_ output: Tensor, sample x: Tensor, at level: NoiseLevel) -> Estimate

    /// The data from the output for examples at levels of their own: x̂₀ `[batch, …]`.
    /// - Parameters:
    ///   - output: F `[batch, …]`
    ///   - x: the sample that it was computed for, `[batch, …]`.
    ///   - alpha: α of each example as `[batch, 1, …]`.
    ///   - sigma: σ, likewise.
    func data(_ output: Tensor, sample x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor

    /// Whether data and noise follow from the output at a level.
    func isDefined(at level: NoiseLevel) -> Bool

    /// The squared error of F for a unit squared error of v at α² + σ² = 1, the one output whose error is
    /// finite wherever the error of the data is.
    ///
    /// All errors at a level are one error in different units: with the shares of signal a = α²/(α² + σ²) and
    /// noise s = 1 − a, ‖x̂₀ − x₀‖² is s times the squared error of v, and so ‖F − F*‖² is this number over s
    /// times ‖x̂₀ − x₀‖².
    func squaredError(ofUnitVelocityErrorAt level: NoiseLevel) -> Double
}

extension NoiseLevel {
    /// α² + σ²
    var square: Double { alpha * alpha + sigma * sigma }

    /// α²/(α² + σ²), kept off 0, so that a quotient of two vanishing numbers is its limit.
    var signalShare: Double { max(alpha * alpha / square, 1e-150) }

    /// σ²/(α² + σ²), likewise.
    var noiseShare: Double { max(sigma * sigma / square, 1e-150) }
}

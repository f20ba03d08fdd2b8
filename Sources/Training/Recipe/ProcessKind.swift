import Diffusion

/// A process that turns data into noise: its word, and what is allowed on it.
public struct ProcessKind: RecipeRow {
    /// The word in a recipe.
    public let word: String
    /// What it is, with its source.
    let documentation: String
    /// Whether its times are the numbers of a table.
    var isDiscrete = false
    /// Whether its last level holds no data, so that predictions that divide by α say nothing there.
    var endsInNoise = false
    /// Whether α = 1 at every time, where EDM's preconditioning is defined.
    var keepsData = false

    /// Every process.
    public static let choices = [betas, edm, vpSDE, subVPSDE, ve, flow, cosine]

    /// A table of β.
    public static let betas = ProcessKind(
        word: "betas", documentation: "a table of β (Ho et al. 2020, arXiv:2006.11239)", isDiscrete: true)
    /// α = 1 with σ from `sigma_min` to `sigma_max`.
    public static let edm = ProcessKind(
        word: "edm", documentation: "data plus σ times noise (Karras et al. 2022, arXiv:2206.00364)",
        keepsData: true)
    /// The variance-preserving stochastic differential equation.
    public static let vpSDE = ProcessKind(
        word: "vp-sde",
        documentation: "the variance-preserving equation (Song et al. 2021, arXiv:2011.13456, equation 11)")
    /// The sub-variance-preserving one.
    public static let subVPSDE = ProcessKind(
        word: "sub-vp-sde",
        documentation: "the sub-variance-preserving equation (Song et al. 2021, equation 12)")
    /// The variance-exploding one.
    public static let ve = ProcessKind(
        word: "ve", documentation: "the variance-exploding equation (Song et al. 2021, equation 9)",
        keepsData: true)
    /// The straight path from data to noise.
    public static let flow = ProcessKind(
        word: "flow",
        documentation: "the straight path x₀ + t·(ε − x₀) (Lipman et al. 2022, arXiv:2210.02747)",
        endsInNoise: true)
    /// α = cos(πt/2), σ = sin(πt/2), log-SNR within ±15.
    public static let cosine = ProcessKind(
        word: "cosine",
        documentation:
            "cosine in continuous time, log-SNR within ±15 (Nichol and Dhariwal 2021, arXiv:2102.09672)")
}

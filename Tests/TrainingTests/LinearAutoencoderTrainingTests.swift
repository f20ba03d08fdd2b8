import Datasets
import Diffusion
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing
import Training

/// A linear autoencoder with the weight w of the divergence is, trained by squared errors, probabilistic principal
/// component analysis with the variance w/2 of noise: it keeps the directions of the data that vary more.
/// Source: Tipping and Bishop 1999, equations 4 to 7; Lucas et al. 2019 (arXiv:1911.02469), sections 4 and 5.
@Suite struct LinearAutoencoderTrainingTests {
    private static let (width, latents, weight) = (4, 3, 0.6)
    private let optimum = Optimum(
        seed: 5, variances: [4, 1.5, 0.02, 0.01], latents: latents, noise: weight / 2)

    private func task(_ network: (Weights) throws -> LinearNetwork) throws -> (
        AutoencoderTask, ParameterStore
    ) {
        let store = ParameterStore(
            .initialized(RandomGenerator(seed: 6)), purpose: .training, elementType: .float64)
        let network = try store.build(network)
        var settings = AutoencoderTask.Settings()
        settings.loss = AutoencoderLoss(error: .l2, penaltyWeights: ["kl": Self.weight])
        return (AutoencoderTask(store: store, network: network, settings), store)
    }

    private func loss(_ task: AutoencoderTask) throws -> Tensor {
        let batch = Batch(data: optimum.data, labels: nil)
        return try task.losses(batch, phase: 0, step: 1, RandomGenerator(seed: 1)).total.mean()
    }

    @Test func `at the optimum the loss is the likelihood and has no slope`() throws {
        let (task, store) = try task { LinearNetwork(width: Self.width, latents: Self.latents, $0) }
        for (name, parameter) in store.named { try parameter.assign(#require(optimum.parameters[name])) }
        let loss = try loss(task)
        // L = (w/D) · (−ln p(x) − D/2 · ln 2πσ²) where the bound is the likelihood.
        let scale = Self.weight / Double(Self.width)
        let constant = Double(Self.width) / 2 * log(2 * Double.pi * Self.weight / 2)
        #expect(try abs(loss.item() - scale * (-optimum.logLikelihood - constant)) < 1e-10)
        try loss.backward()
        for (name, parameter) in store.named {
            let slope: Double = try #require(parameter.gradient).magnitude().max().item()
            #expect(slope < 1e-9, "\(name)")
        }
    }

    @Test func `training finds the subspace and the variances`() throws {
        let (task, store) = try task { LinearNetwork(width: Self.width, latents: Self.latents, $0) }
        let optimizer = AdamW(store, .init(weightDecay: 0))
        for step in 0..<3000 {
            try loss(task).backward()
            try optimizer.step(learningRate: step < 2000 ? 0.05 : 0.005)
            try optimizer.clearGradients()
        }
        // C = WWᵀ + σ²: the data's own variance where it is more than the noise, the noise elsewhere.
        let decoder = try #require(store["decoder.weight"]).detached()
        let found = decoder.matmul(decoder.transposed())
        expectClose(found, optimum.span, absolute: 0.02)
        // The rotation is free among latents; their variances together are not: Π σ² = Π (σ²/λ) of those kept, and 1
        // of the third, which collapses.
        let deviations = try #require(store["encoder.log_variance"]).detached()
        let expected = optimum.kept.map { log(Self.weight / 2 / $0) }.reduce(0, +)
        #expect(try abs(deviations.sum().item() - expected) < 0.05)
        #expect(try deviations.max().magnitude().item() < 0.05)
    }
}

/// Means by a matrix, variances that are the same for all pictures, and a matrix back. Expectations over latents are
/// exact: points in each direction, for all that is squared in the loss.
private struct LinearNetwork: TrainableAutoencoder {
    let encoder: Linear
    let decoder: Linear
    let logVariance: Tensor

    init(width: Int, latents: Int, _ weights: Weights) {
        encoder = Linear(inputs: width, outputs: latents, weights["encoder"])
        decoder = Linear(inputs: latents, outputs: width, weights["decoder"])
        logVariance = weights["encoder"].parameter("log_variance", [latents], .zeros)
    }

    func reconstruction(of pictures: Tensor, noise: (Shape) -> Tensor) -> Reconstruction {
        let mean = encoder(pictures.flattened(from: 1))
        let distribution = LatentDistribution(mean: mean, logVariance: logVariance.expanded(to: mean.shape))
        // The data come once for each of 2k points ±√k·eⱼ, whose mean is 0 and covariance the identity.
        let count = logVariance.shape[0]
        let axes = Tensor.identity(count, .float64) * Double(count).squareRoot()
        let points = concatenated([axes, -axes]).repeated([mean.shape[0] / (2 * count), 1])
        var result = Reconstruction(decoder(distribution.sample(points)).reshaped(pictures.shape))
        result.penalties = [("kl", distribution.divergence() / Double(pictures[0].shape.elementCount))]
        return result
    }
}

/// Data of known variances along their axes, and what is learned of them in closed form.
private struct Optimum {
    /// Each of 50 points 2k times, `[points, 1, 1, width]`.
    let data: Tensor
    let parameters: [String: Tensor]
    let logLikelihood: Double
    /// WWᵀ
    let span: Tensor
    /// The variances of the directions that are kept.
    let kept: [Double]

    init(seed: UInt64, variances: [Double], latents: Int, noise: Double) {
        let (generator, width, count) = (RandomGenerator(seed: seed), variances.count, 50)
        // Whitened draws have the covariance 1 of the set itself, to rounding.
        let draws = generator.normal([count, width], .float64)
        let centred = draws - draws.mean([0])
        let factor = (centred.transposed().matmul(centred) / Double(count)).choleskyFactor()
        let white = centred.matmul(factor.inverse().transposed())
        let axes = generator.normal([width, width], .float64).singularValueDecomposition().u
        let points = (white * Tensor(variances.map { $0.squareRoot() })).matmul(axes.transposed()) + 2
        data = points.repeatingEach(2 * latents, of: 0).reshaped([-1, 1, 1, width])

        kept = variances.filter { $0 > noise }
        // Equation 7: W = U (Λ − σ²)^½ of what is kept; a latent too many has no column and the prior's variance.
        let columns = variances.prefix(latents).map { max($0 - noise, 0).squareRoot() }
        let decoder = axes.slice(0..<latents, of: 1) * Tensor(columns)
        // The posterior is N(M⁻¹Wᵀ(x − μ), σ²M⁻¹) with M = WᵀW + σ², diagonal for this rotation.
        let scales = columns.map { $0 * $0 + noise }
        let encoder = decoder.transposed() / Tensor(scales).unsqueezed(1)
        let mean = Tensor.full(2, [width], .float64)
        parameters = [
            "decoder.weight": decoder, "decoder.bias": mean, "encoder.weight": encoder,
            "encoder.bias": -(encoder.matmul(mean)),
            "encoder.log_variance": Tensor(scales.map { log(noise / $0) }),
        ]
        span = decoder.matmul(decoder.transposed())
        // C = WWᵀ + σ² has the variances that are kept, and σ² elsewhere.
        let model = variances.enumerated().map { $0.offset < latents ? max($0.element, noise) : noise }
        logLikelihood = zip(variances, model).map { -0.5 * (log(2 * Double.pi * $1) + $0 / $1) }.reduce(0, +)
    }
}

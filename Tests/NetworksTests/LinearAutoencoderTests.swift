import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// The variational bound of a linear autoencoder has a known optimum: probabilistic principal component
/// analysis, where the bound is the likelihood itself.
/// Source: Tipping and Bishop 1999, equations 7 and 8; Lucas et al. 2019 (arXiv:1911.02469), section 4.
@Suite struct LinearAutoencoderTests {
    private let optimum = Optimum(seed: 5, width: 5, latents: 2, count: 60)

    @Test func `at the optimum the bound is the likelihood and its slope is zero`() throws {
        let store = ParameterStore(
            .loaded(TensorDictionary(optimum.parameters)), purpose: .training, elementType: .float64)
        let model = try store.build { LinearAutoencoder(width: 5, latents: 2, $0) }
        let bound = model.bound(optimum.data)
        #expect(abs(try bound.item() - optimum.logLikelihood) < 1e-10)
        try bound.backward()
        for (name, parameter) in store.named {
            let slope: Double = try #require(parameter.gradient).magnitude().max().item()
            #expect(slope < 1e-9, "\(name)")
        }
    }

    @Test func `training finds the optimum and never passes it`() throws {
        let store = ParameterStore(
            .initialized(RandomGenerator(seed: 6)), purpose: .training, elementType: .float64)
        let model = try store.build { LinearAutoencoder(width: 5, latents: 2, $0) }
        let optimizer = AdamW(store, .init(weightDecay: 0))
        let first: Double = try model.bound(optimum.data).item()
        var best = -Double.infinity
        for step in 0..<1200 {
            let bound = model.bound(optimum.data)
            best = max(best, try bound.item())
            try (-bound).backward()
            try optimizer.step(learningRate: step < 800 ? 0.02 : 0.002)
            try optimizer.clearGradients()
        }
        #expect(first < optimum.logLikelihood - 1)
        #expect(best < optimum.logLikelihood + 1e-9)
        let last: Double = try model.bound(optimum.data).item()
        #expect(last > optimum.logLikelihood - 1e-3)
        // The decoder spans the principal components, whatever its rotation.
        let decoder = try #require(store["decoder.weight"]).detached()
        let span = decoder.matmul(decoder.transposed())
        let expected = try #require(optimum.parameters["decoder.weight"])
        expectClose(span, expected.matmul(expected.transposed()), ofLargest: 0.02)
    }
}

/// An encoder to means with variances that are the same for all data, and a decoder with one variance.
private struct LinearAutoencoder {
    let encoder: Linear
    let decoder: Linear
    let logVariance: Tensor
    let logNoise: Tensor

    init(width: Int, latents: Int, _ weights: Weights) {
        encoder = Linear(inputs: width, outputs: latents, weights["encoder"])
        decoder = Linear(inputs: latents, outputs: width, weights["decoder"])
        logVariance = weights.parameter("log_variance", [latents], .zeros)
        logNoise = weights.parameter("log_noise", [], .zeros)
    }

    /// The mean over examples of E ln p(x|z) − KL(q(z|x)‖p(z)); the expectation over z in closed form.
    func bound(_ data: Tensor) -> Tensor {
        let mean = encoder(data)
        let posterior = LatentDistribution(mean: mean, logVariance: logVariance.expanded(to: mean.shape))
        // E|x − Wz|² = |x − Wμ|² + Σ σⱼ²|wⱼ|², wⱼ what the decoder makes of one unit of latent j.
        let columns =
            decoder(Tensor.identity(mean.shape[1], .float64)) - decoder(.zeros(mean[0].shape, .float64))
        let spread = (logVariance.exp() * columns.squared().sum([1])).sum()
        let error = (data - decoder(mean)).squared().sum([1]) + spread
        let width = Double(data.shape[1])
        let likelihood = (error / logNoise.exp() + (logNoise + Foundation.log(2 * Double.pi)) * width) * -0.5
        return (likelihood - posterior.divergence()).mean()
    }
}

/// The solution in closed form.
private struct Optimum {
    let data: Tensor
    let parameters: [String: Tensor]
    let logLikelihood: Double

    init(seed: UInt64, width: Int, latents: Int, count: Int) {
        let generator = RandomGenerator(seed: seed)
        let mixing = generator.normal([width, width], .float64)
        data = generator.normal([count, width], .float64).matmul(mixing) + 2
        let mean = data.mean([0])
        let centred = data - mean
        let eigen = (centred.transposed().matmul(centred) / Double(count)).symmetricEigen()
        let values = (try? eigen.values.array(of: Double.self)) ?? []
        // Equation 8: what is left over is noise. Equation 7: W = U (Λ − σ²)^½.
        let noise = values.prefix(width - latents).reduce(0, +) / Double(width - latents)
        let kept = values.suffix(latents)
        let axes = eigen.vectors.slice(width - latents..<width, of: 1)
        let decoder = axes * Tensor(kept.map { ($0 - noise).squareRoot() })
        // The posterior is N(M⁻¹Wᵀ(x − μ), σ²M⁻¹) with M = WᵀW + σ², diagonal for this rotation: M = Λ.
        let encoder = decoder.transposed() / Tensor(Array(kept)).unsqueezed(1)
        parameters = [
            "decoder.weight": decoder, "decoder.bias": mean, "encoder.weight": encoder,
            "encoder.bias": -(encoder.matmul(mean)),
            "log_noise": Tensor([Foundation.log(noise)]).reshaped([]),
            "log_variance": Tensor(kept.map { Foundation.log(noise / $0) }),
        ]
        let logDeterminant =
            kept.map { Foundation.log($0) }.reduce(0, +) + Double(width - latents) * Foundation.log(noise)
        logLikelihood = -0.5 * (Double(width) * (Foundation.log(2 * Double.pi) + 1) + logDeterminant)
    }
}

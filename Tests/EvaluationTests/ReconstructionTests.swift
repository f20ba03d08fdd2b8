import Datasets
import Evaluation
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct ReconstructionTests {
    @Test(arguments: try Fixture.all(in: "autoencoder_losses", prefix: "measures-"))
    func `ratio and similarity are those of an independent implementation`(_ fixture: Fixture) throws {
        let (first, second) = (try fixture.tensor("first"), try fixture.tensor("second"))
        expectClose(PeakSignalToNoise.decibels(first, second), try fixture.tensor("psnr"), absolute: 1e-10)
        expectClose(StructuralSimilarity.mean(first, second), try fixture.tensor("ssim"), absolute: 1e-10)
    }

    @Test func `a known difference has a known ratio`() throws {
        let (zeros, tenths) = (Tensor.zeros([1, 1, 8, 8]), Tensor.full(0.2, [1, 1, 8, 8], .float64))
        // A tenth of the range: 20 decibels.
        expectClose(PeakSignalToNoise.decibels(zeros, tenths), Tensor([20.0]), absolute: 1e-10)
        #expect(try PeakSignalToNoise.decibels(zeros, zeros).item() == .infinity)
        #expect(try StructuralSimilarity.mean(tenths, tenths).item() == 1)
        // Flat pictures differ in luminance alone: (2·0·0.2 + c₁) / (0² + 0.2² + c₁).
        let c1 = 0.02 * 0.02
        expectClose(
            StructuralSimilarity.mean(zeros, tenths), Tensor([c1 / (0.04 + c1)]), absolute: 1e-10)
    }

    /// Two classes of pictures, and reconstructions that get worse.
    @Test func `worse reconstructions have worse figures`() throws {
        let generator = RandomGenerator(seed: 1)
        let signs = Tensor((0..<200).map { Float($0 % 2 == 0 ? 0.5 : -0.5) }).reshaped([200, 1, 1, 1])
        let pictures = (signs + generator.normal([200, 1, 8, 8]) * 0.2).clamped(to: -1...1)
        let labels = Tensor((0..<200).map { Int64($0 % 2) })
        func data(_ part: TensorDataset.Part) throws -> TensorDataset {
            try TensorDataset(["data": pictures, "labels": labels], part: part)
        }
        let evaluator = try ReconstructionEvaluator(training: data(.train))
        func report(_ noise: Double) throws -> ReconstructionReport {
            let generator = RandomGenerator(seed: 2)
            return try evaluator.report(of: data(.all), count: 150, latents: 16) { pictures in
                let indices = generator.integers([pictures.shape[0], 2, 2], in: 0..<4)
                return (
                    pictures + generator.normal(pictures.shape) * noise, CodebookUse(of: indices, among: 8)
                )
            }
        }
        let (exact, near, far) = try (report(0), report(0.05), report(0.5))
        #expect(exact.peakSignalToNoise == 100 && exact.structuralSimilarity == 1)
        #expect(try abs(#require(exact.frechetDistance)) < 1e-3)
        #expect(far.peakSignalToNoise < near.peakSignalToNoise && near.peakSignalToNoise < 40)
        #expect(far.structuralSimilarity < near.structuralSimilarity && near.structuralSimilarity < 1)
        #expect(try #require(far.frechetDistance) > #require(near.frechetDistance))
        #expect(near.pictures == 150 && near.codes == 8 && near.compression == 0.25)
        #expect(near.codebookUse == 0.5)
        #expect(try abs(#require(near.perplexity) - 4) < 0.05)
        #expect(near.text.contains("share of the 8 codes in use") && near.text.contains("(150 pictures"))
    }

    @Test func `without classes there is no distance, and without pictures nothing`() throws {
        let pictures = RandomGenerator(seed: 3).normal([12, 1, 8, 8]).clamped(to: -1...1)
        let data = try TensorDataset(["data": pictures])
        let evaluator = try ReconstructionEvaluator(training: data)
        let report = try evaluator.report(of: data, count: 100, latents: 4) { ($0, nil) }
        #expect(report.frechetDistance == nil && report.codes == nil && report.pictures == 12)
        let none = try TensorDataset(["data": pictures.slice(0..<5, of: 0)], part: .evaluation)
        #expect(throws: EvaluationError.self) {
            try evaluator.report(of: none, count: 100, latents: 4) { ($0, nil) }
        }
    }
}

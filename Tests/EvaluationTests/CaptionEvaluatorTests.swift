import Evaluation
import Tensors
import TestSupport
import Testing

/// Pictures judged by those that have their captions.
@Suite struct CaptionEvaluatorTests {
    /// The interval of a mean is that of the normal law: 1.96·s/√n.
    @Test func theIntervalOfAMean() throws {
        let values = try RandomGenerator(seed: 3).normal([400]).array(of: Double.self)
        let mean = values.reduce(0, +) / 400
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 400).squareRoot()
        let found = BootstrapInterval(count: 400, resamples: 4000) { rows in
            rows.reduce(0) { $0 + values[$1] } / Double(rows.count)
        }
        #expect(abs(found.value - mean) < 1e-12)
        #expect(abs((found.high - found.low) / (2 * 1.96 * deviation / 20) - 1) < 0.05)
    }

    /// The squared distance of two looks is that of blurred pixels, of means and of deviations.
    @Test func theDistanceOfTwoLooks() throws {
        let pictures = RandomGenerator(seed: 1).normal([2, 3, 18, 18])
        let looks = PictureLook.vectors(of: pictures)
        #expect(looks.shape == [2, 3 * 144 + 6])
        // Each of 12×12 covers a pixel and a half: the mean with weights 2/3 and 1/3.
        let small = PictureLook.blurred(pictures, to: 12)
        let corner = try pictures[0][0].slice(0..<2, of: 0).slice(0..<2, of: 1).array(of: Float.self)
        let expected = (4 * corner[0] + 2 * corner[1] + 2 * corner[2] + corner[3]) / 9
        #expect(try abs(small[0][0][0][0].item(Float.self) - expected) < 1e-5)
        let flat = pictures.flattened(from: 2)
        let deviations = flat.variance([2], correction: 0).squareRoot()
        func apart(_ x: Tensor) throws -> Double { try (x[0] - x[1]).squared().mean().item() }
        let squared = try (looks[0] - looks[1]).squared().sum().item(Double.self)
        let parts = try apart(small) + apart(flat.mean([2])) + apart(deviations)
        #expect(abs(squared - parts) < 1e-5)
    }

    /// The data themselves are found first, and nothing of pictures that have to do with others.
    @Test func ranksOfRightAndWrongPictures() throws {
        let pictures = RandomGenerator(seed: 2).normal([150, 3, 16, 16]) * 0.3
        let captions = (0..<150).map { "picture \($0)" }
        let evaluator = try CaptionEvaluator(pictures: pictures, captions: captions, evaluator: nil)
        let rows = Array(0..<60)
        let right = try evaluator.report(
            samples: pictures.slice(0..<60, of: 0), of: rows, labels: nil, contrastive: nil)
        #expect(right.candidates == 100 && right.look.first.value == 1 && right.look.medianRank.value == 1)
        #expect(right.nearest.value < 1e-3 && right.nearestOfData.value > 1)
        let wrong = try evaluator.report(
            samples: RandomGenerator(seed: 7).normal([60, 3, 16, 16]) * 0.3, of: rows, labels: nil,
            contrastive: nil)
        #expect(wrong.look.first.value < 0.15 && abs(wrong.look.medianRank.value - 50) < 20)
    }

    /// A perfect space finds every caption; equal scores count against it.
    @Test func ranksOfCaptions() throws {
        let pictures = RandomGenerator(seed: 4).normal([20, 3, 16, 16])
        let captions = (0..<20).map { "\($0)" }
        let evaluator = try CaptionEvaluator(pictures: pictures, captions: captions, evaluator: nil)
        let samples = pictures.slice(0..<5, of: 0)
        func found(_ pictureVectors: @escaping (Tensor) -> Tensor) throws -> CaptionReport {
            let rows = Array(0..<5)
            return try evaluator.report(
                samples: samples, of: rows, labels: nil,
                contrastive: evaluator.judge(
                    of: rows, pictures: pictureVectors, texts: { _ in Tensor.identity(20) }))
        }
        let perfect = try found { _ in Tensor.identity(20).slice(0..<5, of: 0) }
        #expect(perfect.contrastive?.first.value == 1 && perfect.contrastiveOfData?.first.value == 1)
        let blind = try found { _ in Tensor.zeros([5, 20]) }
        #expect(blind.contrastive?.first.value == 0 && blind.contrastive?.medianRank.value == 20)
    }
}

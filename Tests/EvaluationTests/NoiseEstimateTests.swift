import Evaluation
import Tensors
import TestSupport
import Testing

@Suite struct NoiseEstimateTests {
    /// scikit-image's `estimate_sigma` on drawn pictures, smooth and rough, of odd sides too.
    @Test func estimatesAreThoseOfScikitImage() throws {
        let fixture = try Fixture("likelihood/noise")
        let count: Int = try fixture.case.required("count")
        #expect(count > 10)
        for index in 0..<count {
            let found = try NoiseEstimate.deviation(of: fixture.tensor("picture.\(index)"))
            let wanted = try fixture.tensor("deviation.\(index)").item(Double.self)
            #expect(abs(found - wanted) < 1e-9 * max(1, wanted), "\(index): \(found), not \(wanted)")
        }
    }

    /// Noise on a smooth picture is found within a few parts of a hundred; a picture without any has none.
    @Test func noiseOnASmoothPictureIsFound() throws {
        let side = Tensor.range(to: 64, .float64) / 64
        let smooth = (side.unsqueezed(0) * 2 + side.unsqueezed(1) * side.unsqueezed(1)).unsqueezed(0) - 1
        for deviation in [0.02, 0.1, 0.5] {
            let noise = RandomGenerator(seed: 3).normal([1, 64, 64], .float64)
            let found = try NoiseEstimate.deviation(of: smooth + noise * deviation)
            #expect(abs(found / deviation - 1) < 0.06, "\(found), not \(deviation)")
        }
        #expect(try NoiseEstimate.deviation(of: smooth * 0) == 0)
        #expect(try NoiseEstimate.deviation(of: smooth) < 1e-3)
    }
}

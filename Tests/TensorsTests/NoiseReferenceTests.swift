import Checkpoints
import Storage
import Tensors
import TestSupport
import Testing

/// What PyTorch's generator draws for a seed, bit for bit.
@Suite struct NoiseReferenceTests {
    @Test func drawsEqualPyTorchBitForBit() throws {
        let fixture = try Fixture("noise/noise-0")
        let cases: [JSONObject] = try fixture.case.required("cases")
        #expect(cases.count >= 20)
        for (index, single) in cases.enumerated() {
            let seed: Int = try single.required("seed")
            let draws: [JSONObject] = try single.required("draws")
            let generator = RandomGenerator(seed: UInt64(seed))
            for (number, draw) in draws.enumerated() {
                let type = try #require(ElementType(name: try draw.required("type")))
                let expected = try fixture.tensor("\(index).\(number)")
                let found = generator.normal(expected.shape, type)
                #expect(
                    try found.isIdentical(to: expected), "case \(index), draw \(number), \(expected.shape)")
            }
        }
    }
}

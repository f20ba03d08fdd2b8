import Checkpoints
import Diffusion
import Tensors
import TestSupport
import Testing

/// Noise of other programs from their seeds.
@Suite struct NoiseGeneratorTests {
    /// The known answers that come with Random123, the authors' library.
    @Test func philoxHasItsKnownAnswers() {
        #expect(
            PhiloxStream.words(counter: [0, 0, 0, 0], key: (0, 0))
                == [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8])
        let ones = UInt32.max
        #expect(
            PhiloxStream.words(counter: [ones, ones, ones, ones], key: (ones, ones))
                == [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD])
        #expect(
            PhiloxStream.words(
                counter: [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], key: (0xA409_3822, 0x299F_31D0)
            )
                == [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1])
    }

    /// `torch.randn(12, device="cuda")` after `torch.manual_seed(0)`, as cards print it; their logarithms and sines are float32's.
    @Test func aCardsFirstNumbers() throws {
        let expected: [Float] = [
            -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122,
            -0.32838709, -1.07454231, -0.36314407, -1.67105067, 2.26550497,
        ]
        let found = try PhiloxStream(seed: 0).normal([12], .float32).array(of: Float.self)
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 5e-7 }, "\(found)")
    }

    /// Draw after draw from drawn seeds: NumPy's numbers to the last bit or two (logarithms differ between libraries).
    @Test(arguments: [("numpy", 1e-13), ("nv", 5e-7)])
    func numbersAreThoseOfTheOtherProgram(_ word: String, _ tolerance: Double) throws {
        let recorded = try SafetensorsFile(path: fixturePath("noise-generators/numbers.safetensors"))
        let generator = try #require(NoiseGenerator(word: word))
        let names = recorded.names.filter { $0.hasPrefix("\(word).") }
        let seeds = Set(names.compactMap { UInt64($0.split(separator: ".")[1]) })
        #expect(seeds.count == 6)
        for seed in seeds {
            let stream = generator.stream(seed: seed)
            for index in 0..<3 {
                let expected = try recorded.tensor(named: "\(word).\(seed).\(index)")
                let found = stream.normal(expected.shape, expected.elementType)
                expectClose(found, expected, absolute: tolerance, "seed \(seed), draw \(index)")
            }
        }
    }

    /// A picture of a batch has its own seed, and draws that lie between two seeds are drawn by the same generator.
    @Test(arguments: NoiseGenerator.all)
    func aPictureInABatchIsThatPictureAlone(_ generator: NoiseGenerator) throws {
        let batch = NoiseSource(seed: 5, count: 3, drawnBy: generator)
        let alone = NoiseSource(seed: 7, count: 1, drawnBy: generator)
        for _ in 0..<2 {
            let (drawn, single) = (batch.draw([2, 3]), alone.draw([2, 3]))
            #expect(try drawn.slice(2..<3, of: 0).isIdentical(to: single))
        }
        let ends = NoiseSource(from: 5, to: 6, weights: [0, 1], drawnBy: generator).draw([2, 3])
        expectClose(ends, NoiseSource(seed: 5, count: 2, drawnBy: generator).draw([2, 3]), absolute: 1e-6)
    }

    @Test func unknownWordsAreNone() {
        #expect(NoiseGenerator(word: "cpu") == nil)
        #expect(Set(NoiseGenerator.all.map(\.word)).count == NoiseGenerator.all.count)
    }
}

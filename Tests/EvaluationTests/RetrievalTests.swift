import Evaluation
import Tensors
import Testing

@Suite struct RetrievalTests {
    @Test func ranksBecomeRecallAndMedian() {
        let found = Retrieval(ranks: [1, 1, 3, 6, 11, 40])
        #expect(found.recallAt1 == 2.0 / 6 && found.recallAt5 == 3.0 / 6 && found.recallAt10 == 4.0 / 6)
        #expect(found.medianRank == 4.5)
        #expect(Retrieval(ranks: [7]).medianRank == 7)
    }

    /// Three queries and four candidates; the second query has two right ones, of which the better counts.
    @Test func wrongCandidatesWithHigherScoresComeBefore() throws {
        let scores = Tensor([0.1, 0.9, 0.3, 0.2, 0.5, 0.4, 0.6, 0.1, 0.2, 0.2, 0.1, 0.8], shape: [3, 4])
        let isRight = Tensor(
            [true, false, false, false, false, true, true, false, false, false, true, false], shape: [3, 4])
        #expect(try Retrieval(scores: scores, isRight: isRight) == Retrieval(ranks: [4, 1, 4]))
    }

    /// A model that gives everything one score finds nothing by that.
    @Test func equalScoresCountAgainstTheModel() throws {
        let isRight = Tensor((0..<16).map { $0 % 5 == 0 }, shape: [4, 4])
        let found = try Retrieval(scores: .zeros([4, 4]), isRight: isRight)
        #expect(found == Retrieval(ranks: [4, 4, 4, 4]) && found.recallAt1 == 0)
    }

    /// Pictures and texts on the axes: every text finds its picture, captions that are alike count once, and classes go by
    /// the nearest name.
    @Test func textsAndPicturesOnAxesAreFound() throws {
        let axes = Tensor.identity(3)
        let captions = [["zero"], ["one", "also one"], ["two"], ["zero"]]
        let pictures = axes.gathered(Tensor([0, 1, 2, 0] as [Int]))
        let places = ["zero": 0, "one": 1, "also one": 1, "two": 2]
        let report = try ContrastiveReport(
            pictures: pictures, captions: captions,
            classes: (labels: [0, 1, 2, 1], names: ["zero", "one", "two"])
        ) { texts in axes.gathered(Tensor(texts.map { places[$0]! })) }
        #expect(report.pictures == 4 && report.texts == 4)
        #expect(report.textToPicture == Retrieval(ranks: [1, 1, 1, 1]))
        #expect(report.pictureToText == Retrieval(ranks: [1, 1, 1, 1]))
        #expect(report.classes == 3 && report.zeroShotAccuracy == 0.75)
        #expect(report.text.contains("100.0 %") && report.text.contains("75.0 % right"))
        let without = try ContrastiveReport(pictures: pictures, captions: captions, classes: nil) { texts in
            axes.gathered(Tensor(texts.map { (places[$0]! + 1) % 3 }))
        }
        #expect(without.textToPicture.recallAt1 == 0 && without.zeroShotAccuracy == nil)
    }
}

import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

struct DigitsTests {
    @Test func allDigitsHaveTheirPublishedCounts() throws {
        let digits = try DigitsDataset(contentsOf: digitsFile)
        #expect(digits.count == 1797 && digits.classCount == 10)
        #expect(Array(digits.exampleShape) == [1, 8, 8])
        let batch = try digits.batch(at: Array(0..<1797))
        let labels = try #require(batch.labels).array(of: Int.self)
        let counts = (0...9).map { digit in labels.count { $0 == digit } }
        #expect(counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
        // Of the 64 values the mean is 4.8842 on the scale 0…16, as the set is described elsewhere.
        let values = try batch.data.array(of: Float.self)
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
        #expect(abs((mean + 1) * 8 - 4.884165) < 1e-5)
        #expect(values.min() == -1 && values.max() == 1)
    }

    @Test func theFirstDigitIsTheFirstRow() throws {
        let batch = try DigitsDataset(contentsOf: digitsFile).batch(at: [0])
        let values = try batch.data.array(of: Float.self)
        #expect(Array(values.prefix(11)) == [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13].map { $0 / 8 - 1 })
        #expect(Array(batch.data.shape) == [1, 1, 8, 8] && batch.data.elementType == .float32)
        #expect(batch.labels?.elementType == .int64)
    }

    @Test func thePartsSplitTheWhole() throws {
        let all = try DigitsDataset(contentsOf: digitsFile)
        let train = try DigitsDataset(contentsOf: digitsFile, part: .train)
        let evaluation = try DigitsDataset(contentsOf: digitsFile, part: .evaluation)
        #expect(train.count == 1500 && evaluation.count == 297)
        let ends = try all.batch(at: [1499, 1500, 1796]).data.array(of: Float.self)
        let parts =
            try train.batch(at: [1499]).data.array(of: Float.self)
            + evaluation.batch(at: [0, 296]).data.array(of: Float.self)
        #expect(ends == parts)
    }

    @Test func badFilesAreNamed() throws {
        let packed = try Data(contentsOf: digitsFile)
        try withTemporaryFolder { folder in
            let row = Array(repeating: "1", count: 65).joined(separator: ",") + "\n"
            func rows(_ odd: String) -> Data {
                Data((String(repeating: row, count: 1000) + odd + String(repeating: row, count: 796)).utf8)
            }
            var flipped = packed
            flipped[5000] ^= 0xFF
            let cases: [(Data, String)] = [
                (packed.prefix(20_000), "cut short"), (flipped, "damaged"), (Data(), "empty"),
                (packed.prefix(5), "cut short"), (Data(row.utf8), "1 rows"),
                (rows("1,2\n"), "line 1001 has 2 values"),
                (rows(row.replacing("1,1", with: "1,17", maxReplacements: 1)), "line 1001"),
                (rows(row.replacing("1,1", with: "1,x", maxReplacements: 1)), "\"x\""),
                (rows(row.replacing("1\n", with: "10\n")), "value 65"),
                (rows(row.replacing("1\n", with: "-1\n")), "value 65"),
                (Data(repeating: 0, count: 1000), "1 rows"),
            ]
            for (data, words) in cases {
                let url = try folder.write(data, as: "digits.csv.gz")
                let error = #expect(throws: DatasetError.self, "\(words)") {
                    try DigitsDataset(contentsOf: url)
                }
                #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
                #expect(error?.file == url.path)
            }
            #expect(throws: Never.self) {
                try DigitsDataset(contentsOf: folder.write(rows(row), as: "plain.csv"))
            }
            #expect(throws: DatasetError.self) { try DigitsDataset(contentsOf: folder) }
            #expect(throws: DatasetError.self) {
                try DigitsDataset(contentsOf: folder.appending(path: "none"))
            }
        }
    }
}

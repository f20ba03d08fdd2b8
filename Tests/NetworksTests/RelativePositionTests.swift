import Foundation
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct RelativePositionTests {
    @Test func `buckets of distances are those of transformers`() throws {
        let fixture = try Fixture("text/buckets")
        let distances = try fixture.tensor("distances").to(.int64)
        let tables = try fixture.case.required("tables", as: [[Int]].self)
        for (index, table) in tables.enumerated() {
            let found = relativePositionBuckets(distances, buckets: table[0], maxDistance: table[1])
            let expected: [Int] = try fixture.array("buckets.\(index)")
            #expect(try found.array(of: Int.self) == expected, "\(table)")
        }
    }

    /// Bucket e + j holds the distances n with (n/e)^k ≥ (longest/e)^j, where e buckets of each direction
    /// hold one distance each and k grow. Whole numbers are compared, so no rounding decides.
    @Test func `buckets grow as the logarithm of the distance`() throws {
        let (half, exact, longest) = (16, 8, 128)
        let distances = Array(-300...300)
        let found: [Int] = try relativePositionBuckets(
            Tensor(distances), buckets: 2 * half, maxDistance: longest
        ).array()
        for (distance, bucket) in zip(distances, found) {
            let far = abs(distance)
            // (n/8)⁸ ≥ 16ʲ, written with whole numbers as n² ≥ 8² · 2ʲ.
            let grown = (1..<half - exact).last { far * far >= 64 << $0 } ?? 0
            let expected = (far < exact ? far : exact + grown) + (distance > 0 ? half : 0)
            #expect(bucket == expected, "distance \(distance)")
        }
    }
}

import Tensors
import TestSupport
import Testing

/// The measure that other rooms' tests rest on.
@Suite struct ClosenessTests {
    @Test func findsTheWorstElement() {
        let found = difference([1, 2.5, 3, 9], [1, 2, 3, 4], relative: 0, absolute: 0.1, ofLargest: 0)
        #expect(found?.worst == 3 && found?.count == 2 && found?.total == 4)
        #expect(found?.description.contains("off by 5.0") == true)
    }

    @Test func appliesEachTolerance() {
        let isClose = { (a: Double, e: Double, r: Double, t: Double, l: Double) in
            difference([a, 100], [e, 100], relative: r, absolute: t, ofLargest: l) == nil
        }
        #expect(isClose(1.01, 1, 0.02, 0, 0) && !isClose(1.01, 1, 0.005, 0, 0))
        #expect(isClose(1.01, 1, 0, 0.02, 0) && !isClose(1.01, 1, 0, 0.005, 0))
        #expect(isClose(1.01, 1, 0, 0, 0.0002) && !isClose(1.01, 1, 0, 0, 0.00005))
        #expect(isClose(.infinity, .infinity, 0, 0, 0) && !isClose(.infinity, 1, 1, 1, 1))
        #expect(
            !isClose(.nan, .nan, 1, 1, 1) && !isClose(.nan, 1, 1, 1, 1) && !isClose(1, .infinity, 1, 1, 1))
    }

    @Test func recordsAnIssueWithTheIndex() {
        withKnownIssue {
            expectClose(
                Tensor([1, 2, 3, 5] as [Float], shape: [2, 2]),
                Tensor([1, 2, 3, 4] as [Float], shape: [2, 2]))
        } matching: {
            $0.comments.contains { $0.rawValue.contains("at [1, 1] the value is 5.0") }
        }
        withKnownIssue {
            expectClose(Tensor([1, 2] as [Float]), Tensor([1, 2] as [Float], shape: [1, 2]), absolute: 9)
        } matching: {
            $0.comments.contains { $0.rawValue.contains("the shape is [2]") }
        }
        withKnownIssue { expectClose([1], [1, 2], absolute: 9) }
        expectClose(Tensor([1, 2] as [Float]), Tensor([1, 2.001] as [Float]), relative: 1e-3)
    }
}

import Tensors
import Testing

/// Expects two tensors to have the same shape and, element by element,
/// `|actual - expected| ≤ absolute + relative · |expected| + ofLargest · max |expected|`.
///
/// On failure the message states the worst element, where it is, and how many are off. NaN is close to
/// nothing; an infinity only to itself.
public func expectClose(
    _ actual: Tensor, _ expected: Tensor, relative: Double = 0, absolute: Double = 0, ofLargest: Double = 0,
    _ comment: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
    let note = comment().isEmpty ? "" : comment() + ": "
    do {
        try actual.rethrow()
        try expected.rethrow()
        guard actual.shape == expected.shape else {
            Issue.record(
                "\(note)the shape is \(actual.shape), expected was \(expected.shape)",
                sourceLocation: sourceLocation)
            return
        }
        let difference = difference(
            try actual.array(of: Double.self), try expected.array(of: Double.self), relative: relative,
            absolute: absolute, ofLargest: ofLargest)
        guard let difference else { return }
        let index = index(difference.worst, in: actual.shape)
        Issue.record("\(note)at \(index) \(difference)", sourceLocation: sourceLocation)
    } catch {
        Issue.record("\(note)\(error)", sourceLocation: sourceLocation)
    }
}

/// The same for numbers in an array.
public func expectClose(
    _ actual: [Double], _ expected: [Double], relative: Double = 0, absolute: Double = 0,
    ofLargest: Double = 0,
    _ comment: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
    let note = comment().isEmpty ? "" : comment() + ": "
    guard actual.count == expected.count else {
        Issue.record(
            "\(note)there are \(actual.count) numbers, expected were \(expected.count)",
            sourceLocation: sourceLocation)
        return
    }
    let difference = difference(
        actual, expected, relative: relative, absolute: absolute, ofLargest: ofLargest)
    guard let difference else { return }
    Issue.record("\(note)at [\(difference.worst)] \(difference)", sourceLocation: sourceLocation)
}

/// Where and how far two rows of numbers differ by more than the tolerance.
package struct Difference: CustomStringConvertible {
    package var worst: Int
    package var actual: Double
    package var expected: Double
    package var tolerance: Double
    package var count: Int
    package var total: Int

    package var description: String {
        "the value is \(actual), expected was \(expected): off by \(abs(actual - expected)), "
            + "tolerance \(tolerance); \(count) of \(total) elements are off"
    }
}

/// The difference that matters, nil when all elements are within tolerance.
package func difference(
    _ actual: [Double], _ expected: [Double], relative: Double, absolute: Double, ofLargest: Double
) -> Difference? {
    let largest = expected.lazy.map(abs).filter(\.isFinite).max() ?? 0
    var found: Difference?
    var worstExcess = -Double.infinity
    for (i, (a, e)) in zip(actual, expected).enumerated() {
        let tolerance = absolute + relative * (e.isFinite ? abs(e) : 0) + ofLargest * largest
        guard a != e, !(abs(a - e) <= tolerance) else { continue }
        let excess = (a - e).isNaN ? Double.infinity : abs(a - e) - tolerance
        let count = (found?.count ?? 0) + 1
        if excess > worstExcess || found == nil {
            worstExcess = excess
            found = Difference(
                worst: i, actual: a, expected: e, tolerance: tolerance, count: count, total: actual.count)
        } else {
            found?.count = count
        }
    }
    return found
}

/// The index of a row-major position along each dimension.
func index(_ position: Int, in shape: Shape) -> [Int] {
    var rest = position
    return Array(
        shape.reversed().map { size in
            defer { rest /= max(size, 1) }
            return rest % max(size, 1)
        }.reversed())
}

import Tensors

/// How far apart the samples of a class are from each other.
enum Diversity {
    /// The mean distance between two examples of a class, over all classes that have two at least; `nil` where none has.
    /// - Parameters:
    ///   - features: `[count, features]`
    ///   - labels: the class of each, `[count]`.
    /// - Throws: the error that a tensor carries.
    static func withinClasses(_ features: Tensor, labels: Tensor) throws -> Double? {
        var (sum, pairs) = (0.0, 0.0)
        for members in Dictionary(grouping: try labels.array(of: Int.self).enumerated(), by: \.element).values
        where members.count > 1 {
            let own = features.gathered(Tensor(members.map { Int64($0.offset) }))
            // The distance of each to itself is nothing but rounding.
            let distances = own.distances(to: own) * (1 - Tensor.identity(members.count, own.elementType))
            sum += try distances.sum().item()
            pairs += Double(members.count * (members.count - 1))
        }
        return pairs > 0 ? sum / pairs : nil
    }
}

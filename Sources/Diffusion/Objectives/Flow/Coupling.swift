import Tensors

/// How the examples of a batch meet the noise of a batch.
public enum Coupling: String, Codable, Sendable, CaseIterable {
    /// As they come.
    case independent
    /// By the assignment of least total squared distance within the batch.
    /// Source: Tong et al. 2023 (arXiv:2302.00482), section 3.2.
    case optimalTransport = "optimal-transport"

    /// The second batch in the order in which it meets the first, both `[batch, …]`.
    /// - Parameter labels: classes `[batch]`, whole numbers; examples of a class meet the noise that was drawn for
    ///   that class, so that the noise is independent of the class.
    /// - Throws: the error that a tensor carries.
    public func paired(_ data: Tensor, with other: Tensor, labels: Tensor? = nil) throws -> Tensor {
        switch self {
        case .independent: return other
        case .optimalTransport:
            var order = Array(0..<data.shape[0])
            for members in try classes(labels, count: order.count) {
                let rows = Tensor(members).to(data.device)
                let costs = try Assignment.squaredDistances(
                    from: data.gathered(rows), to: other.gathered(rows))
                for (row, column) in Assignment(costs).columns.enumerated() {
                    order[members[row]] = members[column]
                }
            }
            return other.gathered(Tensor(order).to(other.device))
        }
    }

    /// The places of each class in a batch.
    private func classes(_ labels: Tensor?, count: Int) throws -> [[Int]] {
        guard let labels else { return [Array(0..<count)] }
        let values = try labels.array(of: Int.self)
        precondition(values.count == count, "\(values.count) labels for \(count) examples")
        return Array(Dictionary(grouping: 0..<count) { values[$0] }.values)
    }
}

extension ObjectiveWords {
    /// How data meet noise.
    public static let couplings = WordTable<Coupling>(
        "coupling", Coupling.allCases.map { coupling in .init(coupling.rawValue) { _ in coupling } })
}

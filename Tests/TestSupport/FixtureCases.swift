import Tensors
import Testing

/// One case of a fixture whose every tensor holds many cases, one after the other.
public struct FixtureCase: Sendable {
    private let tensors: [String: Tensor]

    init(_ tensors: [String: Tensor]) {
        self.tensors = tensors
    }

    /// A tensor of the case.
    public func callAsFunction(_ name: String) throws -> Tensor { try #require(tensors[name], "no \(name)") }

    /// A number of the case.
    public func number(_ name: String) throws -> Double { try self(name).item() }
}

extension Fixture {
    /// The cases of a fixture whose every tensor holds `case.count` of them.
    public func cases() throws -> [FixtureCase] {
        let (all, count) = (try tensors(""), try `case`.required("count", as: Int.self))
        return (0..<count).map { index in FixtureCase(all.mapValues { $0[index] }) }
    }
}

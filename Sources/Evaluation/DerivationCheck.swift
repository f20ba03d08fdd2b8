import Foundation

/// A formula of the derivation of diffusion models, worked out in two ways on a model's own process.
public struct DerivationCheck: Codable, Sendable, Equatable {
    /// What is the same.
    public var statement: String
    /// Where it is derived.
    public var source: String
    /// The largest difference between the two ways, relative to 1 or to the larger number.
    public var difference: Double
    /// What rounding may make of it.
    public var limit: Double

    /// Whether the two ways agree.
    public var holds: Bool { difference <= limit }

    enum CodingKeys: String, CodingKey { case statement, source, difference, limit, holds }

    /// A check.
    public init(_ statement: String, source: String, difference: Double, limit: Double = 1e-8) {
        (self.statement, self.source, self.difference, self.limit) = (statement, source, difference, limit)
    }

    /// Reads what was written.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        statement = try values.decode(String.self, forKey: .statement)
        source = try values.decode(String.self, forKey: .source)
        difference = try values.decode(Double.self, forKey: .difference)
        limit = try values.decode(Double.self, forKey: .limit)
    }

    /// Writes it, and whether it holds.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(statement, forKey: .statement)
        try values.encode(source, forKey: .source)
        try values.encode(difference, forKey: .difference)
        try values.encode(limit, forKey: .limit)
        try values.encode(holds, forKey: .holds)
    }

    /// The check as a line.
    public var text: String {
        let number = difference == 0 ? "0" : String(format: "%.1e", difference)
        let padded = String(repeating: " ", count: max(0, 8 - number.count)) + number
        return "\(holds ? "same" : "DIFFERS")  \(padded)  \(statement)  (\(source))"
    }
}

/// Why a model cannot be opened or a request cannot be met.
public struct PipelineError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One sentence: what, where, and what to do.
    public let sentence: Sentence

    /// The sentence with fields by the names of their properties.
    public var description: String { sentence.spelled(\.name) }

    // Literals are sentences, so that the fields in them stay fields.
    @_disfavoredOverload
    package init(_ description: String) { sentence = Sentence(stringLiteral: description) }

    package init(_ sentence: Sentence) { self.sentence = sentence }
}

/// A sentence that names fields of a request, so that a program can spell them as its user wrote them.
public struct Sentence: Sendable, Equatable, ExpressibleByStringInterpolation {
    fileprivate enum Piece: Sendable, Equatable {
        case text(String)
        case field(RequestField)
        case omission(RequestField)
    }

    fileprivate let pieces: [Piece]

    /// Text without fields.
    public init(stringLiteral text: String) { pieces = [.text(text)] }

    /// Text with fields between.
    public init(stringInterpolation interpolation: StringInterpolation) { pieces = interpolation.pieces }

    /// The sentence as text.
    /// - Parameters:
    ///   - spelling: how a field is spelled.
    ///   - omission: how a user leaves a field out, where there is more to say than its name.
    public func spelled(
        _ spelling: (RequestField) -> String, omission: (RequestField) -> String? = { _ in nil }
    ) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .field(let field): spelling(field)
            case .omission(let field): omission(field) ?? "leave out \(spelling(field))"
            }
        }.joined()
    }

    /// Collects text and fields.
    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var pieces: [Piece] = []

        /// Nothing yet.
        public init(literalCapacity: Int, interpolationCount: Int) {}

        /// Adds text.
        public mutating func appendLiteral(_ literal: String) { pieces.append(.text(literal)) }

        /// Adds the name of a field.
        public mutating func appendInterpolation(_ field: RequestField) { pieces.append(.field(field)) }

        /// Adds that a field is to be left out.
        public mutating func appendInterpolation(leavingOut field: RequestField) {
            pieces.append(.omission(field))
        }

        /// Adds a value as text.
        public mutating func appendInterpolation(_ value: some Any) { pieces.append(.text("\(value)")) }

        /// Adds another sentence.
        public mutating func appendInterpolation(_ sentence: Sentence) { pieces += sentence.pieces }
    }
}

/// What a value of a type is called where a file holds another one: "a whole number", "one of linear, cosine".
package func words(for type: Any.Type) -> String {
    switch type {
    case let type as any OptionalValue.Type: words(for: type.wrapped) + " or null"
    case is [Any].Type: "a list"
    case let type as any ListValue.Type: "a list, each element \(words(for: type.element))"
    case let type as any Choice.Type: "one of " + choices(type).joined(separator: ", ")
    case is Bool.Type: "true or false"
    case is Int.Type: "a whole number"
    case let type as any FixedWidthInteger.Type: range(type)
    case is any BinaryFloatingPoint.Type: "a number"
    case is String.Type: "a text"
    default: "an object"
    }
}

private typealias Choice = CaseIterable & RawRepresentable

private func choices(_ type: (some Choice).Type) -> [String] { type.allCases.map { "\($0.rawValue)" } }

private func range<Number: FixedWidthInteger>(_: Number.Type) -> String {
    "a whole number from \(Number.min) to \(Number.max)"
}

private protocol OptionalValue {
    static var wrapped: Any.Type { get }
}

extension Optional: OptionalValue {
    static var wrapped: Any.Type { Wrapped.self }
}

private protocol ListValue {
    static var element: Any.Type { get }
}

extension Array: ListValue {
    static var element: Any.Type { Element.self }
}

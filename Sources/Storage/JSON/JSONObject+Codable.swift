import Foundation

extension JSONObject {
    /// This object, which the strict parser has read, as a configuration.
    /// - Throws: `ContentError` that names the file and the key.
    package func decoded<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        do {
            return try value(of: type)
        } catch let error as DecodingError {
            throw ContentError(place, Self.sentence(error))
        } catch {
            throw ContentError(place, "\(error)")
        }
    }

    /// A configuration as an object.
    /// - Throws: `ContentError` where it is none.
    package init(encoding value: some Encodable) throws {
        guard let object = try JSONObject(value: value) else {
            throw ContentError("", "a configuration must be an object")
        }
        self = object
    }

    private static func sentence(_ error: DecodingError) -> String {
        func key(_ context: DecodingError.Context) -> String {
            quoted(context.codingPath.map(\.stringValue).joined(separator: "."))
        }
        switch error {
        case .keyNotFound(let missing, _): return "the key \(quoted(missing.stringValue)) is missing: add it"
        case .typeMismatch(let type, let context):
            return "\(key(context)) has the wrong type: \(words(for: type)) is needed"
        case .valueNotFound(let type, let context):
            return "\(key(context)) is null: \(words(for: type)) is needed"
        case .dataCorrupted(let context):
            return "\(key(context)) will not do: \(printable(context.debugDescription))"
        @unknown default: return "it cannot be read: \(printable("\(error)"))"
        }
    }
}

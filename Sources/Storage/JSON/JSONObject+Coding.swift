import Foundation

extension JSONObject {
    /// This object as a value of another type. Its numbers may be infinite, as diffusers writes them.
    /// - Throws: what the type throws, or `DecodingError`.
    package func value<Value: Decodable>(of type: Value.Type = Value.self) throws -> Value {
        try JSONDecoding(.object(self)).decode(type)
    }

    /// The object that a value is written as, nil where it is written as something else.
    /// - Throws: what the type throws, or `EncodingError`.
    package init?(value: some Encodable) throws {
        // Foundation's encoder knows only finite numbers; the others travel through it as strings.
        let encoder = JSONEncoder()
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        let written = try JSONValue(parsing: encoder.encode(value), place: "value").mapped { value in
            switch value {
            case .string("Infinity"): .number(.infinity)
            case .string("-Infinity"): .number(-.infinity)
            case .string("NaN"): .number(.nan)
            default: value
            }
        }
        self.init(json: written)
    }
}

extension JSONValue {
    /// This value with each value in it that has no members replaced.
    fileprivate func mapped(_ transform: (JSONValue) -> JSONValue) -> JSONValue {
        switch self {
        case .array(let elements): return .array(elements.map { $0.mapped(transform) })
        case .object(var object):
            for (key, value) in object.members { object[key] = value.mapped(transform) }
            return .object(object)
        default: return transform(self)
        }
    }
}

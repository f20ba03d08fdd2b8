/// A value of a process's key: a number, a word, or true or false.
public enum ProcessValue: Sendable, Equatable, Codable {
    /// A number; whole ones are written without a point.
    case number(Double)
    /// A word.
    case word(String)
    /// True or false.
    case flag(Bool)

    /// Reads what there is.
    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let flag = try? value.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else {
            self = .word(try value.decode(String.self))
        }
    }

    /// Writes it.
    public func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .number(let number):
            if let whole = Int(exactly: number) {
                try value.encode(whole)
            } else {
                try value.encode(number)
            }
        case .word(let word): try value.encode(word)
        case .flag(let flag): try value.encode(flag)
        }
    }

    /// The number.
    public var number: Double? { if case .number(let number) = self { number } else { nil } }
    /// The word.
    public var word: String? { if case .word(let word) = self { word } else { nil } }
    /// The truth.
    public var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }

    /// What a value like this one is, for messages.
    var form: String {
        switch self {
        case .number: "a number"
        case .word: "a word"
        case .flag: "true or false"
        }
    }

    func hasForm(of other: ProcessValue) -> Bool { form == other.form }
}

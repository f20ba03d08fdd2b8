import Storage

/// A word of a recipe, and the numbers that go with it.
public struct WordChoice: Sendable, Equatable, ExpressibleByStringLiteral {
    /// The word.
    public var word: String
    /// Numbers by the names of the row's parameters; what is left out takes the row's own.
    public var numbers: [String: Double]

    /// A choice.
    public init(_ word: String, _ numbers: [String: Double] = [:]) {
        self.word = word
        self.numbers = numbers
    }

    /// A choice without numbers.
    public init(stringLiteral word: String) { self.init(word) }
}

extension WordChoice: Codable {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init(stringValue name: String) { stringValue = name }
        init?(intValue: Int) { nil }
    }

    /// Reads an object whose `kind` is the word, beside its numbers.
    /// - Throws: `DiffusionError` where `kind` is no word, or something beside it is no number.
    public init(from decoder: any Decoder) throws {
        let object = try? decoder.container(keyedBy: Key.self)
        guard let object, let word = try? object.decode(String.self, forKey: Key("kind")) else {
            throw DiffusionError("the path of a process must be an object whose 'kind' is a word")
        }
        self.init(word)
        for key in object.allKeys where key.stringValue != "kind" {
            guard let number = try? object.decode(Double.self, forKey: key) else {
                throw DiffusionError("\(quoted(key.stringValue)) of '\(word)' must be a number")
            }
            numbers[key.stringValue] = number
        }
    }

    /// Writes the same object.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(word, forKey: Key("kind"))
        for (name, number) in numbers.sorted(by: { $0.key < $1.key }) {
            try object.encode(number, forKey: Key(name))
        }
    }
}

/// What recipes have words for: a row for each word, with the parameters that it reads.
public struct WordTable<Value: Sendable>: Sendable {
    /// A number that a row reads.
    public struct Parameter: Sendable {
        /// Its name, in snake case.
        public let name: String
        /// What it is where nothing is given.
        public let standard: Double
        /// The numbers that have a meaning.
        public let range: ClosedRange<Double>

        /// A parameter.
        public init(_ name: String, _ standard: Double, in range: ClosedRange<Double>) {
            self.name = name
            self.standard = standard
            self.range = range
        }
    }

    /// A word and what it stands for.
    public struct Row: Sendable {
        /// The word.
        public let word: String
        /// The numbers that it reads, in the order in which `make` takes them.
        public let parameters: [Parameter]
        let make: @Sendable ([Double]) -> Value

        /// A row.
        public init(
            _ word: String, _ parameters: [Parameter] = [],
            make: @escaping @Sendable (_ numbers: [Double]) -> Value
        ) {
            self.word = word
            self.parameters = parameters
            self.make = make
        }
    }

    /// What the words are of, for messages.
    public let key: String
    /// The rows.
    public let rows: [Row]

    /// A table.
    public init(_ key: String, _ rows: [Row]) {
        self.key = key
        self.rows = rows
    }

    /// All words.
    public var words: [String] { rows.map(\.word) }

    /// The row of a word.
    /// - Throws: `DiffusionError` that names the nearest word where it is not known.
    public func row(_ word: String) throws -> Row {
        if let row = rows.first(where: { $0.word == word }) { return row }
        let near = nearest(to: word, among: words) ?? ""
        throw DiffusionError("\(key) \(quoted(word)) is not known: the nearest word is '\(near)'")
    }

    /// What a choice stands for.
    /// - Throws: `DiffusionError` where the word or a number's name is not known, or a number is out of range.
    public func callAsFunction(_ choice: WordChoice) throws -> Value {
        let row = try row(choice.word)
        let names = row.parameters.map(\.name)
        for name in choice.numbers.keys.sorted() where !names.contains(name) {
            throw DiffusionError(
                "\(key) \(choice.word) does not read \(quoted(name)): "
                    + (names.isEmpty
                        ? "it has no numbers" : "its numbers are \(names.joined(separator: ", "))"))
        }
        return row.make(
            try row.parameters.map { parameter in
                let value = choice.numbers[parameter.name] ?? parameter.standard
                guard value.isFinite, parameter.range.contains(value) else {
                    throw DiffusionError(
                        "\(key) \(choice.word) has \(parameter.name) \(value): give a number from \(parameter.range.lowerBound) to \(parameter.range.upperBound)"
                    )
                }
                return value
            })
    }
}

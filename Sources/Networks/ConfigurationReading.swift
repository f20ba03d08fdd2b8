import Storage

// Reading and checking the values of a configuration, so that each wrong one is named in one sentence.

extension KeyedDecodingContainer {
    /// Reads a value over a default; a key that is absent leaves the default.
    /// - Throws: `NetworkError` where the value is of another kind.
    func read<Value: Decodable>(_ key: Key, into value: inout Value) throws {
        guard contains(key) else { return }
        do {
            value = try decode(Value.self, forKey: key)
        } catch let error as NetworkError {
            throw error
        } catch {
            throw NetworkError(key.stringValue, "must be \(wanted(Value.self))")
        }
    }

    /// Reads one of a few words over a default.
    /// - Throws: `NetworkError` that lists the words there are.
    func readChoice<Choice: Named>(_ key: Key, into value: inout Choice) throws {
        var text = value.rawValue
        try read(key, into: &text)
        value = try choice(text, key.stringValue)
    }

    /// Reads one of a few words, or `null`, over a default.
    func readChoice<Choice: Named>(_ key: Key, into value: inout Choice?) throws {
        var text = value?.rawValue
        try read(key, into: &text)
        value = try text.map { try choice($0, key.stringValue) }
    }

    /// Reads a list of words over a default.
    func readChoices<Choice: Named>(_ key: Key, into value: inout [Choice]) throws {
        var texts = value.map(\.rawValue)
        try read(key, into: &texts)
        value = try texts.enumerated().map { try choice($1, "\(key.stringValue)[\($0)]") }
    }

    /// Reads the configuration of a part over a default; `null` leaves the default.
    /// - Throws: `NetworkError` about the key in the part.
    func readPart<Part: Decodable>(_ key: Key, into part: inout Part) throws {
        var found: Part? = part
        try read(key, into: &found)
        if let found { part = found }
    }

    private func choice<Choice: Named>(_ text: String, _ key: String) throws -> Choice {
        guard let found = Choice(configured: text) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw NetworkError(key, "is \(quoted(text)), which is not supported: use one of \(names)")
        }
        return found
    }

    private func wanted(_ type: Any.Type) -> String {
        switch type {
        case is Int.Type: "a whole number"
        case is Int?.Type: "a whole number or null"
        case is Double.Type: "a number"
        case is Double?.Type: "a number or null"
        case is Bool.Type: "true or false"
        case is Bool?.Type: "true, false or null"
        case is String.Type: "a word"
        case is String?.Type: "a word or null"
        case is [Int].Type: "a list of whole numbers"
        case is [Double]?.Type: "a list of numbers or null"
        case is PerLevel<Int>.Type: "a whole number or a list of them"
        case is PerLevel<Bool>.Type: "true, false, or a list of them"
        case is PerLevel<PerLevel<Int>>.Type, is [PerLevel<Int>]?.Type:
            "a whole number, a list of them, or a list of such lists"
        case is [String].Type: "a list of words"
        default: "another value"
        }
    }
}

/// A choice among a few words of a configuration.
protocol Named: RawRepresentable<String>, CaseIterable {
    /// The choice of a word as configurations in the wild write it.
    init?(configured text: String)
}

extension Named {
    init?(configured text: String) { self.init(rawValue: text) }
}

/// Checks what a configuration states about the smaller pictures that a network enlarges.
/// - Throws: `NetworkError` that names the key.
func checkEnlargement(by factor: Int?, hasNoiseLevel: Bool) throws {
    if let factor { try checkRange("low_resolution_factor", factor, within: 1...64) }
    guard !hasNoiseLevel || factor != nil else {
        throw NetworkError(
            "noise_level_embedding",
            "is true, and the network enlarges no picture that could be noised: give low_resolution_factor")
    }
}

/// Checks that a number lies in a range.
/// - Throws: `NetworkError` that gives the range.
func checkRange(_ key: String, _ value: Int, within range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
        throw NetworkError(
            key, "is \(value): use a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
}

/// Checks that a number is above 0.
/// - Throws: `NetworkError` otherwise.
func checkPositive(_ key: String, _ value: Double) throws {
    guard value.isFinite && value > 0 else {
        throw NetworkError(key, "is \(value): use a number above 0")
    }
}

extension Equatable {
    /// Whether a value of a type that is not known is of this one and equal.
    func isEqual(to other: any Equatable) -> Bool { self == other as? Self }
}

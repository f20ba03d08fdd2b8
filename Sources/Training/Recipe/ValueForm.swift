import Diffusion
import Yams

/// The form that a value has in a recipe: how it is read and written, and which values are allowed.
struct ValueForm<Value: Sendable>: Sendable {
    /// What to write, to complete a message: "a whole number from 1 to 64".
    let wanted: String
    /// The value of a node; nil where it has another form.
    let read: @Sendable (Node) -> Value?
    let write: @Sendable (Value) -> Node
    /// Whether a value is one of those allowed.
    let allows: @Sendable (Value) -> Bool
}

extension ValueForm {
    /// The same form, or nothing.
    static func optional<Wrapped>(_ form: ValueForm<Wrapped>) -> ValueForm where Value == Wrapped? {
        ValueForm(
            wanted: form.wanted, read: { $0.isAbsent ? .some(nil) : form.read($0).map(Optional.some) },
            write: { $0.map(form.write) ?? .absent }, allows: { $0.map(form.allows) ?? true })
    }
}

extension ValueForm where Value == Int {
    /// A whole number in a range.
    static func whole(_ range: ClosedRange<Int>) -> ValueForm {
        ValueForm(
            wanted: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            read: { $0.tag == Tag(.int) ? $0.scalar.flatMap(Int.construct(from:)) : nil },
            write: Node.init(whole:), allows: range.contains)
    }

    /// One of a few whole numbers.
    static func whole(oneOf values: [Int], _ wanted: String) -> ValueForm {
        ValueForm(
            wanted: wanted, read: { $0.tag == Tag(.int) ? $0.scalar.flatMap(Int.construct(from:)) : nil },
            write: Node.init(whole:), allows: values.contains)
    }
}

extension ValueForm where Value == Double {
    /// A number in a range; NaN and infinity are in none.
    static func number(_ range: ClosedRange<Double>) -> ValueForm {
        ValueForm(
            wanted: "a number from \(range.lowerBound) to \(range.upperBound)",
            read: { node in
                guard node.tag == Tag(.int) || node.tag == Tag(.float) else { return nil }
                return node.scalar.flatMap(Double.construct(from:))
            }, write: Node.init(number:), allows: range.contains)
    }
}

extension ValueForm where Value == Bool {
    /// True or false.
    static var truth: ValueForm {
        ValueForm(
            wanted: "true or false",
            read: { $0.tag == Tag(.bool) ? $0.scalar.flatMap(Bool.construct(from:)) : nil },
            write: Node.init(truth:), allows: { _ in true })
    }
}

extension ValueForm where Value == String {
    /// A text; numbers and truths count as their own spelling.
    static func text(_ wanted: String, where allows: @escaping @Sendable (String) -> Bool = { _ in true })
        -> ValueForm
    {
        ValueForm(
            wanted: wanted, read: { $0.isAbsent ? nil : $0.scalar?.string }, write: Node.init(text:),
            allows: allows)
    }
}

extension ValueForm where Value == String {
    /// One of a few words, or a synonym of one.
    static func word(of words: [String], _ synonyms: [String: String] = [:]) -> ValueForm {
        ValueForm(
            wanted: "one of " + (words + synonyms.keys.sorted()).joined(separator: ", "),
            read: { node in
                guard !node.isAbsent, let word = node.scalar?.string else { return nil }
                return words.contains(word) ? word : synonyms[word]
            }, write: Node.init(text:), allows: words.contains)
    }
}

extension ValueForm where Value == ProcessValue {
    /// A value of a process's key, of the form of its default; which ones have a meaning is for the process to say.
    /// - Parameter isCount: whether it is a whole number.
    static func value(like sample: ProcessValue, isCount: Bool) -> ValueForm {
        switch sample {
        case .number where isCount:
            return of(ValueForm<Int>.whole(2...100_000), { .number(Double($0)) }) {
                $0.number.flatMap { Int(exactly: $0) }
            }
        case .number: return of(ValueForm<Double>.number(1e-9...1e9), { .number($0) }) { $0.number }
        case .flag: return of(ValueForm<Bool>.truth, { .flag($0) }) { $0.flag }
        case .word:
            return of(ValueForm<BetaSchedule>.choice, { .word($0.rawValue) }) {
                $0.word.flatMap(BetaSchedule.init(rawValue:))
            }
        }
    }

    /// The form of a plain value, wrapped.
    static func of<Inner>(
        _ form: ValueForm<Inner>, _ wrap: @escaping @Sendable (Inner) -> ProcessValue,
        _ unwrap: @escaping @Sendable (ProcessValue) -> Inner?
    ) -> ValueForm {
        ValueForm(
            wanted: form.wanted, read: { form.read($0).map(wrap) },
            write: { unwrap($0).map(form.write) ?? .absent }, allows: { unwrap($0).map(form.allows) ?? false }
        )
    }
}

extension ValueForm where Value: RecipeChoice {
    /// One of the words of a type.
    static var choice: ValueForm {
        let words = Value.choices.map(\.word) + Value.synonyms.keys.sorted()
        return ValueForm(
            wanted: "one of " + words.joined(separator: ", "),
            read: { $0.isAbsent ? nil : $0.scalar.flatMap { Value(word: $0.string) } },
            write: { Node(text: $0.word) }, allows: { _ in true })
    }
}

extension Node {
    /// Nothing. Yams reads only a plain scalar as absent.
    static var absent: Node { Node("null", Tag(.null), .plain) }

    init(whole value: Int) { self.init(String(value), Tag(.int)) }

    init(truth value: Bool) { self.init(value ? "true" : "false", Tag(.bool)) }

    /// The shortest decimal that reads back as the same number, with a point, which YAML 1.1 asks for.
    init(number: Double) {
        func text() -> String {
            if number.isNaN { return ".nan" }
            if number.isInfinite { return number < 0 ? "-.inf" : ".inf" }
            let text = number.description
            guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
            return text[..<exponent] + ".0" + text[exponent...]
        }
        self.init(text(), Tag(.float))
    }

    /// Text that would be read as something else stands in quotes.
    init(text: String) {
        let plain = Node.Scalar(text)
        let isText = Node.scalar(plain).tag == Tag(.str)
        self = .scalar(isText ? plain : Node.Scalar(text, Tag(.str), .singleQuoted))
    }

    /// `null`, or nothing after the colon.
    var isAbsent: Bool {
        if case .scalar = self { tag == Tag(.null) } else { false }
    }
}

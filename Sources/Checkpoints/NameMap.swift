import Layers
import Storage
import Tensors

/// An explicit table between the names of a foreign layout and the native ones, read in both directions.
///
///     let map: NameMap = [
///         "conv_in.weight": "input.weight",                              // an exact name
///         "down.{i}.block.{j}.*": "down_blocks.{i}.resnets.{j}.*",       // numbers, and any rest
///     ]
///
/// `{i}` stands for a decimal number without leading zeros, `*` at the end for any rest of one character
/// or more. Both sides of a row have the same placeholders. Exact rows come before patterns, and
/// patterns apply in the order of the table.
public struct NameMap: Sendable, ExpressibleByDictionaryLiteral {
    private var natives = NameTable<String>()
    private var foreigns = NameTable<String>()
    private var patterns: [(foreign: NamePattern, native: NamePattern)] = []

    /// A table from its rows, foreign name first.
    /// - Precondition: both sides of a row have the same placeholders, and no exact name stands twice on
    ///   one side.
    public init(_ rows: some Sequence<(String, String)>) {
        for (foreign, native) in rows {
            let left = NamePattern(foreign)
            let right = NamePattern(native)
            precondition(
                left.placeholders == right.placeholders,
                "the placeholders of \(foreign) and \(native) differ")
            if left.placeholders.isEmpty {
                let isNew = natives.append(foreign, native) && foreigns.append(native, foreign)
                precondition(isNew, "\(foreign) or \(native) stands twice in the table")
            } else {
                patterns.append((left, right))
            }
        }
    }

    /// A table from its rows, foreign name first.
    public init(dictionaryLiteral rows: (String, String)...) { self.init(rows) }

    /// The native name of a foreign one, nil when no row applies.
    public func native(for foreign: String) -> String? {
        if let exact = natives[foreign] { return exact }
        for pattern in patterns {
            if let found = pattern.foreign.match(foreign) { return pattern.native.fill(found) }
        }
        return nil
    }

    /// The foreign name of a native one, nil when no row applies.
    public func foreign(for native: String) -> String? {
        if let exact = foreigns[native] { return exact }
        for pattern in patterns {
            if let found = pattern.native.match(native) { return pattern.foreign.fill(found) }
        }
        return nil
    }
}

/// A source of tensors under the names that a `NameMap` gives them.
public struct RenamedSource: TensorSource {
    /// Names of the original source that the map does not know. They are not on offer here.
    public let unmapped: [String]
    private let source: any TensorSource
    private let originals: NameTable<String>

    /// Renames the tensors of a source with foreign names.
    /// - Parameter isPassedOver: whether the tensor of a foreign name is left out.
    /// - Throws: `CheckpointError` when two of its names become one.
    public init(
        _ source: any TensorSource, _ map: NameMap, without isPassedOver: (String) -> Bool = { _ in false }
    ) throws {
        var originals = NameTable<String>()
        var unmapped: [String] = []
        for name in source.names where !isPassedOver(name) {
            guard let native = map.native(for: name) else {
                unmapped.append(name)
                continue
            }
            guard originals.append(native, name) else {
                throw CheckpointError(
                    "",
                    "\(quoted(originals[native] ?? "")) and \(quoted(name)) both become "
                        + "\(quoted(native)); the checkpoint mixes two layouts")
            }
        }
        self.source = source
        self.originals = originals
        self.unmapped = unmapped
    }

    /// The native names, in the order of the original source.
    public var names: [String] { originals.names }

    /// Those of the original source.
    public var files: [String] { source.files }

    /// A tensor's shape, nil when there is none of that native name.
    public func shape(of name: String) -> Shape? { originals[name].flatMap { source.shape(of: $0) } }

    /// A tensor's element type, nil when there is none of that native name or no tensor can hold the type.
    public func elementType(of name: String) -> ElementType? {
        originals[name].flatMap { source.elementType(of: $0) }
    }

    /// The tensor of a native name.
    /// - Throws: `CheckpointError` when there is none; what the original source throws.
    public func tensor(named name: String) throws -> Tensor {
        guard let original = originals[name] else {
            throw CheckpointError("", "there is no tensor \(quoted(name)) under the native names")
        }
        return try source.tensor(named: original)
    }
}

/// One side of a row of a `NameMap`, cut at its placeholders.
struct NamePattern: Sendable {
    private enum Part: Sendable {
        case text([UInt8])
        case number(String)
        case rest
    }

    private var parts: [Part] = []
    /// The names of the placeholders; `*` for the rest.
    private(set) var placeholders: Set<String> = []

    init(_ pattern: String) {
        var rest = pattern[...]
        while let brace = rest.firstIndex(of: "{") {
            guard let end = rest[brace...].firstIndex(of: "}") else {
                preconditionFailure("a brace is not closed in \(pattern)")
            }
            let name = String(rest[rest.index(after: brace)..<end])
            parts.append(.text(Array(rest[..<brace].utf8)))
            parts.append(.number(name))
            let isNew = placeholders.insert(name).inserted
            precondition(isNew, "{\(name)} stands twice in \(pattern)")
            rest = rest[rest.index(after: end)...]
        }
        if rest.last == "*" {
            parts.append(.text(Array(rest.dropLast().utf8)))
            parts.append(.rest)
            placeholders.insert("*")
        } else {
            parts.append(.text(Array(rest.utf8)))
        }
    }

    /// What the placeholders stand for in a name, nil when the name does not have this form.
    func match(_ name: String) -> [String: String]? {
        var found: [String: String] = [:]
        var rest = Array(name.utf8)[...]
        for part in parts {
            switch part {
            case .text(let text):
                guard rest.starts(with: text) else { return nil }
                rest = rest.dropFirst(text.count)
            case .number(let name):
                let digits = rest.prefix { $0.decimalDigit != nil }
                guard !digits.isEmpty, digits.first != .zero || digits.count == 1 else { return nil }
                found[name] = String(decoding: digits, as: UTF8.self)
                rest = rest.dropFirst(digits.count)
            case .rest:
                guard !rest.isEmpty else { return nil }
                found["*"] = String(decoding: rest, as: UTF8.self)
                rest = []
            }
        }
        return rest.isEmpty ? found : nil
    }

    /// The name with the placeholders replaced.
    func fill(_ values: [String: String]) -> String {
        parts.reduce(into: "") { name, part in
            switch part {
            case .text(let text): name += String(decoding: text, as: UTF8.self)
            case .number(let key): name += values[key] ?? ""
            case .rest: name += values["*"] ?? ""
            }
        }
    }
}

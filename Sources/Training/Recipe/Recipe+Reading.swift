import Diffusion
import Networks
import Storage
import Yams

extension Recipe {
    /// Reads a recipe file and lays the changes of the command line over it.
    ///
    /// - Parameters:
    ///   - path: the YAML file.
    ///   - changes: `section.key=value` each, the value as YAML; a later one wins over an earlier one.
    /// - Throws: `RecipeError`: the file is missing, unreadable or not YAML, a key is unknown or stands
    ///   twice, a value has the wrong type or is out of range.
    public init(contentsOf path: String, changes: [String] = []) throws {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: Self.largestFile)
        } catch {
            throw RecipeError("The recipe \(path) cannot be read: \(error.reason).")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RecipeError("The recipe \(path) is not text in UTF-8: save it as UTF-8.")
        }
        try self.init(yaml: text, name: path, changes: changes)
    }

    /// Reads a recipe from YAML.
    ///
    /// - Parameters:
    ///   - yaml: the text.
    ///   - name: what messages call the text, usually its path.
    ///   - changes: `section.key=value` each, the value as YAML; a later one wins over an earlier one.
    /// - Throws: `RecipeError`, as `init(contentsOf:changes:)` does.
    public init(yaml: String, name: String = "recipe", changes: [String] = []) throws {
        let sources =
            [try RecipeSource(yaml: yaml, name: name)] + (try changes.map(RecipeSource.init(change:)))
        let defaults = try Self.defaults(for: sources)
        var tree = defaults
        for source in sources {
            try source.check(against: defaults)
            tree = tree.overlaid(with: source.root)
        }
        do {
            self = try YAMLDecoder().decode(Recipe.self, from: tree)
        } catch let error as DecodingError {
            throw RecipeError(error, tree: tree, sources: sources)
        } catch let error as NetworkError {
            throw RecipeError(error, sources: sources)
        }
        if let rule = brokenRule {
            throw RecipeError(rule.path, tree: tree, sources: sources, wanted: rule.wanted)
        }
    }

    /// A recipe is a page of text; what is larger was given by mistake.
    private static let largestFile = 1 << 16

    /// The tree of all defaults, which is also the list of all keys. The keys of `model` depend on its kind.
    private static func defaults(for sources: [RecipeSource]) throws -> Node {
        var recipe = Recipe()
        let path = "model.kind"
        if let source = sources.last(where: { $0.root.node(at: path) != nil }),
            let node = source.root.node(at: path)
        {
            guard let network = node.scalar.flatMap({ KnownNetworks.denoising(word: $0.string) }) else {
                let kinds = ModelSection.kinds.joined(separator: ", ")
                throw RecipeError(
                    "\(source.place(of: node)): \(path) is \(node.shown); write one of \(kinds).")
            }
            recipe.model = ModelSection(network)
        }
        return try TreeEncoder.tree(of: recipe)
    }
}

/// A text that settings come from: the recipe file, or one `--set`.
struct RecipeSource {
    /// What messages call it.
    let name: String
    /// Whether its lines mean something to a person.
    let hasLines: Bool
    /// The settings; only those that the text names.
    let root: Node

    init(yaml: String, name: String) throws {
        self.name = name
        hasLines = true
        do {
            let node = try Self.compose(yaml, name) ?? Node([] as [(Node, Node)])
            root = node.isEmptyScalar ? Node([] as [(Node, Node)]) : node
        } catch let error as RecipeError {
            throw error
        } catch {
            throw RecipeError(yaml: error, name: name)
        }
    }

    /// The tree of a text.
    ///
    /// Aliases are refused before the text is parsed: a line can stand for two of the line before it, and so a few
    /// lines for more than any machine can hold.
    private static func compose(_ yaml: String, _ name: String) throws -> Node? {
        let anchors = names(behind: "&", in: yaml)
        if let alias = names(behind: "*", in: yaml).intersection(anchors).min() {
            throw RecipeError(
                "\(name): the alias *\(alias.prefix(60)) stands for another part of the text: write that part out."
            )
        }
        return try Yams.compose(yaml: yaml)
    }

    /// The words that begin directly behind a mark, wherever it stands: more than YAML would find, and none less.
    private static func names(behind mark: Unicode.Scalar, in yaml: String) -> Set<String> {
        let pieces = yaml.unicodeScalars.split(separator: mark, omittingEmptySubsequences: false)
        return Set(pieces.dropFirst().map { String($0.prefix(while: isWord)) }.filter { !$0.isEmpty })
    }

    /// Whether a character can stand in the name of an anchor.
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII
            && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                || "_-".unicodeScalars.contains(scalar))
    }

    /// `section.key=value`, as `--set` takes it.
    init(change: String) throws {
        // As it was typed, where that is a line of text.
        name = "--set " + (change.utf8.count <= 100 && printable(change) == change ? change : quoted(change))
        hasLines = false
        guard let equals = change.firstIndex(of: "="), equals != change.startIndex else {
            throw RecipeError("\(name) is not understood: write --set section.key=value.")
        }
        let value: Node
        do {
            value =
                try Self.compose(String(change[change.index(after: equals)...]), name) ?? Node("", Tag(.null))
        } catch let error as RecipeError {
            throw error
        } catch {
            throw RecipeError(
                "\(name): the value is not valid YAML; put text with special characters in quotes.")
        }
        let keys = change[..<equals].split(separator: ".", omittingEmptySubsequences: false)
        root = keys.reversed().reduce(value) { inner, key in Node([(Node(String(key)), inner)]) }
    }

    /// Where a node stands, for the start of a message.
    func place(of node: Node?) -> String {
        guard hasLines, let mark = node?.mark else { return name }
        return "\(name):\(mark.line):\(mark.column)"
    }

    /// Checks that every key is known, stands once, and has a value of the type of its default.
    func check(against defaults: Node) throws {
        try check(root, against: defaults, path: "")
    }

    private func check(_ node: Node, against defaults: Node, path: String) throws {
        switch defaults {
        case .mapping(let known):
            if node.isEmptyScalar { return }
            guard case .mapping(let pairs) = node else {
                let subject = path.isEmpty ? "the recipe" : path
                let sections =
                    path.isEmpty ? "sections such as training:" : "keys such as \(path).\(known.sample)"
                throw RecipeError("\(place(of: node)): \(subject) is \(node.shown); write \(sections).")
            }
            try check(pairs, against: known, path: path)
        case .sequence:
            guard case .sequence = node else {
                throw mistyped(node, path, "a list such as \(defaults.shown)")
            }
        default:
            guard let kind = ScalarKind(defaults), !kind.accepts(node) else { return }
            throw mistyped(node, path, kind.wanted)
        }
    }

    private func check(_ pairs: Node.Mapping, against known: Node.Mapping, path: String) throws {
        let prefix = path.isEmpty ? "" : path + "."
        var seen: Set<String> = []
        for (key, value) in pairs {
            let name = key.scalar?.string ?? key.shown
            let shown = prefix + plain(name)
            guard let fallback = known.first(where: { $0.key.scalar?.string == name })?.value else {
                throw RecipeError(
                    "\(place(of: key)): there is no key \(shown)\(advice(for: name, prefix, known))")
            }
            guard seen.insert(name).inserted else {
                throw RecipeError(
                    "\(place(of: key)): the key \(shown) stands twice; delete one of the two.")
            }
            try check(value, against: fallback, path: prefix + name)
        }
    }

    private func advice(for name: String, _ prefix: String, _ known: Node.Mapping) -> String {
        let keys = known.compactMap { $0.key.scalar?.string }
        if let best = nearest(to: name, in: keys) { return "; did you mean \(prefix)\(best)?" }
        return "; the keys here are \(keys.joined(separator: ", "))."
    }

    private func mistyped(_ node: Node, _ path: String, _ wanted: String) -> RecipeError {
        RecipeError("\(place(of: node)): \(path) is \(node.shown); write \(wanted).")
    }
}

/// A key as keys are written in messages: a word plainly, anything else in quotes.
private func plain(_ key: String) -> String {
    key.utf8.count <= 60
        && key.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-.".contains($0)) }
        ? key : quoted(key)
}

/// The type of a single value, told by its default.
private enum ScalarKind {
    case whole, number, truth, text

    /// Nil where the default is absent, so that it tells nothing.
    init?(_ node: Node) {
        switch node.tag {
        case Tag(.int): self = .whole
        case Tag(.float): self = .number
        case Tag(.bool): self = .truth
        case Tag(.null): return nil
        default: self = .text
        }
    }

    func accepts(_ node: Node) -> Bool {
        guard case .scalar = node else { return false }
        let tag = node.tag
        // Whether a value may be absent is for its type to say, when it is decoded.
        if tag == Tag(.null) { return true }
        return switch self {
        case .whole: tag == Tag(.int)
        case .number: tag == Tag(.int) || tag == Tag(.float)
        case .truth: tag == Tag(.bool)
        case .text: true
        }
    }

    var wanted: String {
        switch self {
        case .whole: "a whole number in digits, without quotes or a point"
        case .number: "a number, without quotes"
        case .truth: "true or false"
        case .text: "a word"
        }
    }
}

extension Node {
    /// `null`, or nothing after the colon.
    fileprivate var isEmptyScalar: Bool {
        if case .scalar = self { tag == Tag(.null) } else { false }
    }

    /// This tree with the values that `other` names put in place. `other` has been checked against it.
    fileprivate func overlaid(with other: Node) -> Node {
        guard case .mapping(let mine) = self else { return other }
        guard case .mapping(let theirs) = other else { return self }
        return Node(
            mine.map { key, value in
                let name = key.scalar?.string
                let change = theirs.first { $0.key.scalar?.string == name }?.value
                return (key, change.map(value.overlaid) ?? value)
            })
    }
}

extension Node.Mapping {
    /// Some key of it, for an example.
    fileprivate var sample: String { first?.key.scalar?.string ?? "" }
}

extension RecipeError {
    /// A value that cannot be, with its place: the last source that names it.
    fileprivate init(_ path: String, tree: Node, sources: [RecipeSource], wanted: String) {
        let found = tree.node(at: path)?.shown ?? "absent"
        let source = sources.last { $0.root.node(at: path) != nil } ?? sources[0]
        self.init("\(source.place(of: source.root.node(at: path))): \(path) is \(found); write \(wanted).")
    }

    /// What a network's configuration says of one of its keys, such as `block_out_channels[1]`.
    fileprivate init(_ error: NetworkError, sources: [RecipeSource]) {
        let path = "model.\(error.key.prefix { $0 != "[" })"
        let source = sources.last { $0.root.node(at: path) != nil } ?? sources[0]
        let place = source.place(of: source.root.node(at: path))
        self.init("\(place): model.\(error.key) \(error.problem).")
    }

    fileprivate init(_ error: DecodingError, tree: Node, sources: [RecipeSource]) {
        let context: DecodingError.Context
        var wanted: String?
        switch error {
        case .typeMismatch(let type, let inner), .valueNotFound(let type, let inner):
            context = inner
            wanted = Self.words(for: type)
        case .dataCorrupted(let inner):
            context = inner
            wanted = inner.debugDescription
        case .keyNotFound(_, let inner): context = inner
        @unknown default: context = .init(codingPath: [], debugDescription: "")
        }
        let keys = context.codingPath.filter { $0.intValue == nil }.map(\.stringValue)
        self.init(
            keys.joined(separator: "."), tree: tree, sources: sources,
            wanted: wanted ?? context.debugDescription)
    }

    private static func words(for type: any Any.Type) -> String {
        switch type {
        case is Int.Type: "a whole number in digits, of at most 18 of them"
        case is Double.Type: "a number, without quotes"
        case is Bool.Type: "true or false"
        case is String.Type: "a word"
        default: "a value of the right kind"
        }
    }

    /// What Yams says, in one line.
    fileprivate init(yaml error: any Error, name: String) {
        switch error {
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            self.init(
                "\(name):\(mark.line):\(mark.column): this is not valid YAML: \(problem); correct this line.")
        case YamlError.duplicatedKeysInMapping(let keys, let context):
            let mark = context.mark
            self.init(
                "\(name):\(mark.line):\(mark.column): the key \(plain(keys.first ?? "")) stands twice; delete one of the two."
            )
        case YamlError.reader(let problem, let offset, _, _):
            let place = offset.map { "\(name), character \($0 + 1)" } ?? name
            self.init("\(place): this is not valid YAML: \(problem); delete what is not text.")
        default:
            self.init("\(name): this is not valid YAML (\(quoted("\(error)"))).")
        }
    }
}

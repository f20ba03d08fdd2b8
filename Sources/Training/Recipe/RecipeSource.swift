import Storage
import Yams

/// A text that settings come from: the recipe file, or a change to it.
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
            root = node.isAbsent ? Node([] as [(Node, Node)]) : node
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

    /// A change: `section.key=value`.
    /// - Parameter word: what messages put before it.
    init(change: String, _ word: String) throws {
        // As it was typed, where that is a line of text.
        let isLine = change.utf8.count <= 100 && printable(change) == change
        name = "\(word) \(isLine ? change : quoted(change))"
        hasLines = false
        guard let equals = change.firstIndex(of: "="), equals != change.startIndex else {
            throw RecipeError("\(name) is not understood: write \(word) section.key=value.")
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

    /// The values that the text names, each with its key's path as it is written there.
    ///
    /// - Throws: `RecipeError` where a section is no section or a key is no word.
    func values() throws -> [Value] {
        guard case .mapping(let sections) = root else {
            throw RecipeError(
                "\(place(of: root)): the recipe is \(root.shown); write sections such as training:.")
        }
        return try sections.flatMap { key, node -> [Value] in
            let name = key.scalar?.string ?? key.shown
            guard Recipe.sections.contains(name) else { return [Value(path: name, key: key, node: node)] }
            if node.isAbsent { return [] }
            guard case .mapping(let pairs) = node else {
                let sample = Recipe.keys.first { $0.section == name }!.path
                throw RecipeError(
                    "\(place(of: node)): \(name) is \(node.shown); write keys such as \(sample).")
            }
            return pairs.map {
                Value(path: "\(name).\($0.key.scalar?.string ?? $0.key.shown)", key: $0.key, node: $0.value)
            }
        }
    }

    /// A value of a text.
    struct Value {
        /// The key's path as it is written there.
        let path: String
        let key: Node
        let node: Node
    }
}

/// A key as keys are written in messages: a word plainly, anything else in quotes.
func plain(_ key: String) -> String {
    key.utf8.count <= 60
        && key.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-.".contains($0)) }
        ? key : quoted(key)
}

extension RecipeError {
    /// The message of Yams, in one line.
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

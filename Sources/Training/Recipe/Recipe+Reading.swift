import Diffusion
import Networks
import Storage
import Yams

extension Recipe {
    /// Reads a recipe file and lays changes over it.
    ///
    /// - Parameters:
    ///   - path: the YAML file.
    ///   - changes: `section.key=value` each, the value as YAML; a later one wins over an earlier one.
    ///   - word: what messages put before a change, such as the option that it was given by.
    /// - Throws: `RecipeError`: the file is missing, unreadable or not YAML, a key is unknown or stands
    ///   twice, a value has the wrong type or is out of range, or two keys have no meaning together.
    public init(contentsOf path: String, changes: [String] = [], changedBy word: String = "change") throws {
        try self.init(yaml: Self.text(of: path), name: path, changes: changes, changedBy: word)
    }

    /// Reads a recipe that a run saved, by this version or an earlier one.
    /// - Throws: `RecipeError`
    init(savedAt path: String) throws {
        try self.init(yaml: Self.text(of: path), name: path, isSaved: true)
    }

    private static func text(of path: String) throws -> String {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: largestFile)
        } catch {
            throw RecipeError("The recipe \(path) cannot be read: \(error.reason).")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RecipeError("The recipe \(path) is not text in UTF-8: save it as UTF-8.")
        }
        return text
    }

    /// Reads a recipe from YAML.
    ///
    /// - Parameters:
    ///   - yaml: the text.
    ///   - name: what messages call the text, usually its path.
    ///   - changes: `section.key=value` each, the value as YAML; a later one wins over an earlier one.
    ///   - word: what messages put before a change.
    /// - Throws: `RecipeError`, as `init(contentsOf:changes:changedBy:)` does.
    public init(
        yaml: String, name: String = "recipe", changes: [String] = [], changedBy word: String = "change"
    ) throws {
        try self.init(yaml: yaml, name: name, changes: changes, changedBy: word, isSaved: false)
    }

    /// - Parameter isSaved: whether a run wrote it, so that it has keys which an earlier version read in more places.
    private init(
        yaml: String, name: String, changes: [String] = [], changedBy word: String = "", isSaved: Bool
    ) throws {
        let sources =
            [try RecipeSource(yaml: yaml, name: name)]
            + (try changes.map { try RecipeSource(change: $0, word) })
        self.init()
        var reading = RecipeReading()
        for source in sources { try reading.collect(source) }
        for key in Self.keys { try reading.read(key, into: &self) }
        if isSaved { for key in Self.keys { key.dropNeutral(&self) } }
        try reading.readNetwork(into: &self)
        if !model.kind.readsProcess { try reading.refuse(section: "diffusion", of: model.kind) }
        if let (path, problem) = filled.problem { throw reading.error(path, problem, fallback: sources[0]) }
        do {
            try model.kind.check(filled)
        } catch let error as RecipeError {
            throw RecipeError("\(sources[0].place(of: nil)): \(error)")
        }
    }

    /// A recipe is a page of text; what is larger was given by mistake.
    private static let largestFile = 1 << 16

    /// Checks every value's range, and that all of them have a meaning together. Throws `RecipeError` that names the
    /// first key whose value cannot be.
    public func validate() throws {
        if let (path, problem) = filled.problem { throw RecipeError("\(path) \(problem)") }
        try model.kind.check(filled)
        _ = try fittedModel(to: NetworkDemands())
    }
}

/// What the texts of a recipe give for each key, the later ones over the earlier ones.
private struct RecipeReading {
    private struct Given {
        let source: RecipeSource
        let node: Node
    }

    /// By the key's path, that of the table where it has synonyms.
    private var given: [String: Given] = [:]
    /// The keys of the network's configuration, in the order in which they were met.
    private var networkKeys: [(path: String, key: Node, source: RecipeSource)] = []

    private static let keys = Dictionary(
        uniqueKeysWithValues: Recipe.keys.flatMap { key in
            key.names.map { ((key.section.map { "\($0)." } ?? "") + $0, key) }
        })

    /// Takes the values of a text.
    mutating func collect(_ source: RecipeSource) throws {
        var seen: Set<String> = []
        for value in try source.values() {
            let known = Self.keys[value.path]
            guard known != nil || value.path.hasPrefix("model.") else { throw unknown(value, source) }
            let path = known?.path ?? value.path
            guard seen.insert(path).inserted else {
                throw RecipeError(
                    "\(source.place(of: value.key)): the key \(plain(path)) stands twice; delete one of the two."
                )
            }
            if known == nil { networkKeys.append((path, value.key, source)) }
            given[path] = Given(source: source, node: value.node)
        }
    }

    /// Puts the value of a key of the table into a recipe.
    func read(_ key: RecipeKey, into recipe: inout Recipe) throws {
        guard let given = given[key.path] else { return }
        guard key.read(given.node, &recipe), key.holds(recipe) else {
            throw RecipeError(
                "\(given.source.place(of: given.node)): \(key.path) is \(given.node.shown); write \(key.wanted)."
            )
        }
    }

    /// Puts the values of the network's own keys into a recipe, whose network has its kind already.
    func readNetwork(into recipe: inout Recipe) throws {
        let kind = recipe.model.kind
        let defaults = try RecipeNetwork(kind).tree
        var names: [String] = []
        for (path, key, source) in networkKeys {
            let name = String(path.dropFirst("model.".count))
            guard defaults.contains(where: { $0.key.scalar?.string == name }) else {
                let known = RecipeKey.names(in: "model") + defaults.compactMap { $0.key.scalar?.string }
                throw RecipeError(
                    "\(source.place(of: key)): there is no key \(plain(path))\(advice(for: name, "model.", known))"
                )
            }
            if !names.contains(name) { names.append(name) }
        }
        guard !names.isEmpty else { return }
        let typed = RecipeNetwork(kind).typedTree
        for name in names {
            let sample = typed.first { $0.key.scalar?.string == name }?.value ?? .absent
            let given = given["model.\(name)"]!
            guard let wanted = mismatch(given.node, with: sample) else { continue }
            throw RecipeError(
                "\(given.source.place(of: given.node)): model.\(name) is \(given.node.shown); write \(wanted)."
            )
        }
        do {
            recipe.model.network = try RecipeNetwork(
                kind, given: names.map { (name: $0, value: given["model.\($0)"]!.node) })
        } catch let error as NetworkError {
            throw self.error("model.\(error.key)", "\(error.problem).", fallback: nil)
        } catch let error as DecodingError {
            throw decoding(error)
        }
    }

    /// Throws the first key of a section that a kind of model does not have.
    func refuse(section: String, of kind: ModelKind) throws {
        let own = given.filter { $0.key.hasPrefix(section + ".") && !$0.value.node.isAbsent }
        guard let (path, first) = own.min(by: { $0.key < $1.key }) else { return }
        throw error(
            path,
            "is \(first.node.shown); leave the section \(section) out: model.kind \(kind.word) reads none.",
            fallback: nil)
    }

    /// A problem of a key, with the place that the key's value has.
    func error(_ path: String, _ problem: String, fallback: RecipeSource?) -> RecipeError {
        let key = String(path.prefix { $0 != "[" })
        guard let found = given[key] else {
            let place = fallback.map { "\($0.place(of: nil)): " } ?? ""
            return RecipeError("\(place)\(path) \(problem)")
        }
        return RecipeError("\(found.source.place(of: found.node)): \(path) \(problem)")
    }

    /// The error of the configuration's own decoding about a value.
    private func decoding(_ error: DecodingError) -> RecipeError {
        let (context, wanted): (DecodingError.Context, String?) =
            switch error {
            case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
                (context, words(for: type))
            case .dataCorrupted(let context): (context, context.debugDescription)
            case .keyNotFound(_, let context): (context, nil)
            @unknown default: (.init(codingPath: [], debugDescription: ""), nil)
            }
        let name = context.codingPath.filter { $0.intValue == nil }.map(\.stringValue).joined(separator: ".")
        let shown = given["model.\(name)"]?.node.shown ?? "absent"
        return self.error(
            "model.\(name)", "is \(shown); write \(wanted ?? context.debugDescription).", fallback: nil)
    }

    private func unknown(_ value: RecipeSource.Value, _ source: RecipeSource) -> RecipeError {
        let parts = value.path.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let section = parts.count > 1 && Recipe.sections.contains(String(parts[0])) ? String(parts[0]) : nil
        let name = section == nil ? value.path : String(parts[1])
        let known =
            section.map(RecipeKey.names) ?? Recipe.keys.filter { $0.section == nil }.map(\.name)
            + Recipe.sections
        let prefix = section.map { $0 + "." } ?? ""
        return RecipeError(
            "\(source.place(of: value.key)): there is no key \(prefix)\(plain(name))\(advice(for: name, prefix, known))"
        )
    }

    private func advice(for name: String, _ prefix: String, _ known: [String]) -> String {
        if let best = nearest(to: name, in: known) { return "; did you mean \(prefix)\(best)?" }
        return "; the keys here are \(known.joined(separator: ", "))."
    }
}

extension RecipeKey {
    /// The names of the keys of a section.
    fileprivate static func names(in section: String) -> [String] {
        Recipe.keys.filter { $0.section == section }.flatMap(\.names)
    }
}

/// What to write in place of a value that has another form than the default; nil where it has the same. A default
/// that is absent has no type to compare, and its own type decides whether a value may be absent.
private func mismatch(_ node: Node, with sample: Node) -> String? {
    if case .sequence = sample {
        if case .sequence = node { return nil }
        return "a list such as \(sample.shown)"
    }
    if sample.isAbsent { return nil }
    let forms: [(tag: Tag, accepted: [Tag], wanted: String)] = [
        (Tag(.int), [Tag(.int)], "a whole number in digits, without quotes or a point"),
        (Tag(.float), [Tag(.int), Tag(.float)], "a number, without quotes"),
        (Tag(.bool), [Tag(.bool)], "true or false"),
    ]
    let form = forms.first { $0.tag == sample.tag }
    guard case .scalar = node else { return form?.wanted ?? "a word" }
    if node.isAbsent { return nil }
    return form.flatMap { $0.accepted.contains(node.tag) ? nil : $0.wanted }
}

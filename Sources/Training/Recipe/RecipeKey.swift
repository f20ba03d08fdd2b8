import Yams

/// A key of a recipe and all that is known of it: what reads, writes, checks and documents it.
package struct RecipeKey: Sendable {
    /// The key's path, such as `training.batch_size`.
    package let path: String
    /// Other names in the same section that are read as this key.
    let synonyms: [String]
    /// What to write, to complete a message.
    let wanted: String
    /// One line on what the key decides.
    let documentation: String
    /// Whether the key stands in a written recipe.
    private(set) var isWritten = true
    /// Whether it is of a loss that only one kind of model has, and stands in recipes of that loss alone.
    var isOfOneLoss = false
    /// Why the key may be changed when a run is continued; nil where it may not.
    private(set) var changeable: String?
    /// The key whose word decides whether this one is read.
    private(set) var owner: Owner?
    /// The default for each word of the owner that reads this key.
    private(set) var ownerDefaults: [String: String] = [:]
    /// Another key, of which some words have a default that comes first.
    private(set) var exceptions: (owner: Owner, defaults: [String: String])?

    /// Puts the value of a node into a recipe; false where the node has another form.
    let read: @Sendable (Node, inout Recipe) -> Bool
    let write: @Sendable (Recipe) -> Node
    /// Whether the value is one of those allowed.
    let holds: @Sendable (Recipe) -> Bool
    /// Puts the owner's default where nothing was given.
    private(set) var fill: @Sendable (inout Recipe) -> Void = { _ in }
    /// Takes a value out that changes nothing where the key is not read; earlier versions saved such.
    private(set) var dropNeutral: @Sendable (inout Recipe) -> Void = { _ in }

    /// A key whose word decides which other keys are read.
    struct Owner: Sendable {
        let path: String
        /// The word, defaults included; nil where the owner itself is not read.
        let word: @Sendable (Recipe) -> String?
        /// The owner with its word, for messages.
        let shown: @Sendable (Recipe) -> String

        init(_ path: String, _ word: @escaping @Sendable (Recipe) -> String?) {
            self.init(path, word) { "\(path) \(word($0) ?? "absent")" }
        }

        init(
            _ path: String, _ word: @escaping @Sendable (Recipe) -> String?,
            shown: @escaping @Sendable (Recipe) -> String
        ) {
            (self.path, self.word, self.shown) = (path, word, shown)
        }
    }

    /// A key that always has a value.
    init<Value>(
        _ path: String, _ place: any WritableKeyPath<Recipe, Value> & Sendable, _ form: ValueForm<Value>,
        synonyms: [String] = [], changeable: String? = nil, _ documentation: String
    ) {
        self.path = path
        self.synonyms = synonyms
        self.documentation = documentation
        self.changeable = changeable
        wanted = form.wanted
        read = { node, recipe in
            guard let value = form.read(node) else { return false }
            recipe[keyPath: place] = value
            return true
        }
        write = { form.write($0[keyPath: place]) }
        holds = { form.allows($0[keyPath: place]) }
    }

    /// A key that is read where another key has one of a few words, each of which has a default for it.
    /// - Parameters:
    ///   - exceptions: another key, of which some words have a default that comes first.
    ///   - neutral: the value that means the same as none where the key is not read.
    init<Value: Equatable & Sendable>(
        _ path: String, _ place: any WritableKeyPath<Recipe, Value?> & Sendable, _ form: ValueForm<Value>,
        of owner: Owner, _ defaults: [String: Value],
        unless exceptions: (owner: Owner, defaults: [String: Value])? = nil, synonyms: [String] = [],
        neutral: Value? = nil, _ documentation: String
    ) {
        self.init(path, place, .optional(form), synonyms: synonyms, documentation)
        self.owner = owner
        ownerDefaults = defaults.mapValues { form.write($0).shown }
        self.exceptions = exceptions.map { ($0.owner, $0.defaults.mapValues { form.write($0).shown }) }
        fill = { recipe in
            guard recipe[keyPath: place] == nil, let word = owner.word(recipe) else { return }
            let exception = exceptions.flatMap { other in
                other.owner.word(recipe).flatMap { other.defaults[$0] }
            }
            recipe[keyPath: place] = exception ?? defaults[word]
        }
        guard let neutral else { return }
        dropNeutral = { recipe in
            let isRead = owner.word(recipe).map { defaults[$0] != nil } ?? false
            if !isRead, recipe[keyPath: place] == neutral { recipe[keyPath: place] = nil }
        }
    }

    /// An older way to write another key, read and never written.
    init(
        older path: String, wanted: String, _ documentation: String,
        read: @escaping @Sendable (Node, inout Recipe) -> Bool
    ) {
        self.path = path
        synonyms = []
        self.wanted = wanted
        self.documentation = documentation
        isWritten = false
        self.read = read
        write = { _ in .absent }
        holds = { _ in true }
    }

    /// The section that it stands in; nil for a key beside the sections.
    var section: String? { path.contains(".") ? String(path.prefix { $0 != "." }) : nil }
    /// Its name in the section.
    package var name: String { String(path.split(separator: ".").last ?? "") }
    /// The names under which it is read.
    var names: [String] { [name] + synonyms }

    /// Whether the key stands in a recipe as it is written.
    func stands(in recipe: Recipe) -> Bool {
        isWritten && (!isOfOneLoss || ownerDefaults[recipe.objective.kind] != nil)
    }

    /// Whether it has a value although its owner's word does not read it.
    func isMisplaced(in recipe: Recipe) -> Bool {
        guard let owner, !write(recipe).isAbsent else { return false }
        return owner.word(recipe).map { ownerDefaults[$0] == nil } ?? true
    }
}

extension RecipeKey.Owner {
    static let process = Self("diffusion.process") { recipe in
        recipe.model.kind.readsProcess ? recipe.diffusion.process.word : nil
    } shown: { recipe in
        recipe.model.kind.readsProcess
            ? "diffusion.process \(recipe.diffusion.process.word)" : "model.kind \(recipe.model.kind.word)"
    }
    static let objective = Self("objective.kind") { $0.objective.kind }
    /// The process whose path flow matching may choose; no other loss does.
    static let path = Self(process.path) { recipe in
        recipe.objective.choosesPath ? recipe.diffusion.process.word : nil
    } shown: { recipe in
        (recipe.objective.choosesPath ? process : objective).shown(recipe)
    }
    static let interpolant = Self("objective.interpolant") { $0.objective.interpolant }
    static let latent = Self("objective.latent") { $0.objective.latent }
    static let weighting = Self("objective.weighting") { $0.objective.weighting }
    static let times = Self("objective.times") { $0.objective.times }
    static let conditioning = Self("model.conditioning") { $0.model.conditioning.word }
}

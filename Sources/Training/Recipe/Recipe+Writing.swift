import Storage
import Yams

extension Recipe {
    /// The recipe as YAML with every key in it, always in the same order; read back it is an equal value. Keys that
    /// are left to their defaults are `null`.
    public var yaml: String {
        get throws { try Yams.serialize(node: tree, width: -1, allowUnicode: true) }
    }

    /// Every key with its value, by section.
    package var tree: Node {
        get throws {
            let network = try model.network.tree
            let written = Self.keys.filter { $0.stands(in: self) }
            let alone = written.filter { $0.section == nil }.map { (Node($0.name), $0.write(self)) }
            let sections = Self.sections.filter { $0 != "diffusion" || model.kind.readsProcess }.map {
                section in
                let pairs = written.filter { $0.section == section }.map { (Node($0.name), $0.write(self)) }
                let more = section == "model" ? network.map { ($0.key, $0.value) } : []
                return (Node(section), Node(pairs + more, .implicit, .block))
            }
            return Node(alone + sections, .implicit, .block)
        }
    }

    /// The value at a path such as `training.steps`, as YAML.
    func text(at path: String) -> String {
        Self.keys.first { $0.path == path }?.write(self).shown ?? "absent"
    }

    /// One key whose value is not the same in two recipes.
    public struct Difference: Hashable, Sendable, CustomStringConvertible {
        /// The key, such as `training.batch_size`.
        public let path: String
        /// Its value in the other recipe, as YAML; `absent` where that one has no such key.
        public let there: String
        /// Its value in this recipe.
        public let here: String

        /// The key with both values.
        public var description: String { "\(path): \(there) there, \(here) here" }

        /// Whether a run may go on with this changed (`Recipe.changeableOnResume`).
        public var mayChangeOnResume: Bool { Recipe.changeableOnResume[path] != nil }
    }

    /// What may be changed when a run is continued, and why. All else decides what the steps compute, and with it
    /// changed the run would no longer be the one that its recipe describes.
    public static let changeableOnResume = Dictionary(
        uniqueKeysWithValues: keys.compactMap { key in key.changeable.map { (key.path, $0) } })

    /// Every key whose value is another one in `other`, in the order of the recipe.
    public func differences(from other: Recipe) throws -> [Difference] {
        let here = try tree.leaves()
        let there = try other.tree.leaves()
        let old = Dictionary(there, uniquingKeysWith: { first, _ in first })
        let known = Set(here.map(\.path))
        // Values are compared whole, and shown cut.
        let changed = here.filter { old[$0.path] != $0.value }.map {
            Difference(path: $0.path, there: old[$0.path]?.shown ?? "absent", here: $0.value.shown)
        }
        let gone = there.filter { !known.contains($0.path) }.map {
            Difference(path: $0.path, there: $0.value.shown, here: "absent")
        }
        return changed + gone
    }

    /// Checks that a run started with `earlier` can be continued with this recipe.
    ///
    /// - Parameter dataAreOpen: whether this recipe has all that follows from its data. Otherwise what it does not say may be
    ///   the same, and so may its model.
    /// - Throws: `RecipeError` that lists every difference that may not be.
    public func checkResumable(from earlier: Recipe, dataAreOpen: Bool = true) throws {
        let refused = try differences(from: earlier).filter { difference in
            let mayFollow =
                difference.path.hasPrefix("model.") || ["absent", "null"].contains(difference.here)
            return !difference.mayChangeOnResume && (dataAreOpen || !mayFollow)
        }
        guard !refused.isEmpty else { return }
        throw RecipeError(
            """
            The recipe does not fit the run that is to be continued (there = the run, here = the recipe): \
            \(refused.map(\.description).joined(separator: "; ")). \
            Set these back, or start a new run in another folder.
            """)
    }
}

extension Node {
    /// The node at a path of keys joined by points.
    package func node(at path: String) -> Node? {
        path.split(separator: ".", omittingEmptySubsequences: false).reduce(self as Node?) { node, key in
            node?.mapping?.first { $0.key.scalar?.string == String(key) }?.value
        }
    }

    /// The node as a short piece of text for a message.
    var shown: String {
        switch self {
        case .scalar(let scalar) where scalar.string.isEmpty: "empty"
        case .scalar(let scalar):
            // What is no text has been read as a number, a truth or nothing, and is short.
            tag == Tag(.str) || scalar.string.utf8.count > 60 ? quoted(scalar.string) : scalar.string
        case .sequence(let items):
            "[\(listed(items) { $0.sequence.map { "a list of \($0.count)" } ?? $0.shown })]"
        case .mapping: "a section"
        case .alias: "an alias"
        }
    }

    /// Every value that is not a section, with its path.
    fileprivate func leaves(under path: String = "") -> [(path: String, value: Node)] {
        guard let mapping else { return [(path, self)] }
        return mapping.flatMap { key, value in
            let name = key.scalar?.string ?? ""
            return value.leaves(under: path.isEmpty ? name : "\(path).\(name)")
        }
    }
}

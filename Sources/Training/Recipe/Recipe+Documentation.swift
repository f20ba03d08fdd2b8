import Yams

extension Recipe {
    /// Every key with its default and its meaning, as Markdown: a table for each section.
    public static var documentation: String {
        let tables = [nil] + sections.map(Optional.some)
        let text = tables.map { section in
            let rows = keys.filter { $0.section == section }.map(\.row)
            let title = section.map { "## \($0)\n\n" } ?? ""
            let more = section == "model" ? "\n" + networks : ""
            return title + "| key | values | default | meaning |\n|---|---|---|---|\n" + rows.joined() + more
        }
        return String(([introduction] + text).joined(separator: "\n").dropLast())
    }

    private static let introduction = """
        # Recipes

        What `langevin train` reads: YAML with the sections below. Every key may be left out, `--set section.key=value`
        overrides one, and the run folder keeps the recipe with every key filled in. This page is printed by
        `langevin train --keys`.

        """

    /// The networks, whose configurations' keys follow in `model`.
    private static var networks: String {
        let rows = ModelKind.choices.map { kind in
            let own = (try? RecipeNetwork(kind).tree) ?? [:]
            let keys = own.map { "`\($0.key.scalar?.string ?? "")`" }.joined(separator: " ")
            return "| `\(kind.word)` | \(kind.classNames[0]) | \(keys) |\n"
        }
        return """
            The keys of the model's own configuration stand in `model`, too, under the names of its `config.json`;
            those of channels, sizes, classes and the text's width come from the data where they are left out.

            | kind | class | keys |
            |---|---|---|

            """ + rows.joined()
    }
}

extension RecipeKey {
    /// A row of a table.
    fileprivate var row: String {
        let names = ([name] + synonyms).map { "`\($0)`" }.joined(separator: ", ")
        return "| \(names) | \(wanted) | \(shownDefault) | \(documentation) |\n"
    }

    /// The default, or for each word of the key's owner the default that goes with it.
    private var shownDefault: String {
        guard let owner else {
            let node = write(Recipe())
            return node.isAbsent ? "" : node.shown
        }
        let words = Dictionary(grouping: ownerDefaults.keys, by: { ownerDefaults[$0]! })
        let shown = words.map { (value: $0.key, words: $0.value.sorted().joined(separator: ", ")) }
        return shown.sorted { $0.words < $1.words }.map { "\($0.value) (`\(owner.path)` \($0.words))" }
            .joined(separator: "; ")
    }
}

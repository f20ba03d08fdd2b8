import Diffusion
import Yams

/// A loss that only one kind of model has, with the keys of its own in the section `objective`.
struct OwnObjective: Sendable {
    /// The word under `objective.kind`.
    let word: String
    /// The keys that it reads.
    let options: [ObjectiveOption]

    init(_ word: String, _ options: [ObjectiveOption]) {
        (self.word, self.options) = (word, options)
    }
}

/// A key of a loss that only one kind of model has.
struct ObjectiveOption: Sendable {
    /// Its name in the section.
    let name: String
    /// Its default.
    let standard: ProcessValue
    /// How it is written, and which values are allowed.
    let form: ValueForm<ProcessValue>
    /// One line on what it decides.
    let documentation: String

    /// A number in a range.
    static func number(
        _ name: String, _ standard: Double, in range: ClosedRange<Double>, _ documentation: String
    ) -> ObjectiveOption {
        ObjectiveOption(
            name: name, standard: .number(standard),
            form: .of(ValueForm<Double>.number(range), { .number($0) }, \.number),
            documentation: documentation)
    }

    /// A whole number in a range.
    static func whole(
        _ name: String, _ standard: Int, in range: ClosedRange<Int>, _ documentation: String
    ) -> ObjectiveOption {
        ObjectiveOption(
            name: name, standard: .number(Double(standard)),
            form: .of(ValueForm<Int>.whole(range), { .number(Double($0)) }) {
                $0.number.flatMap(Int.init(exactly:))
            },
            documentation: documentation)
    }

    /// True or false.
    static func flag(_ name: String, _ standard: Bool, _ documentation: String) -> ObjectiveOption {
        ObjectiveOption(
            name: name, standard: .flag(standard), form: .of(ValueForm<Bool>.truth, { .flag($0) }, \.flag),
            documentation: documentation)
    }

    /// One of a few words.
    static func word(_ name: String, _ words: [String], _ documentation: String) -> ObjectiveOption {
        ObjectiveOption(
            name: name, standard: .word(words[0]),
            form: .of(ValueForm<String>.word(of: words), { .word($0) }, \.word), documentation: documentation)
    }

    /// A text, such as a path.
    static func text(
        _ name: String, _ standard: String, _ wanted: String, _ documentation: String
    ) -> ObjectiveOption {
        ObjectiveOption(
            name: name, standard: .word(standard),
            form: .of(ValueForm<String>.text(wanted), { .word($0) }, \.word), documentation: documentation)
    }
}

extension Recipe.ObjectiveSection {
    /// The keys of the losses that only one kind of model has. Losses that share a key share its form.
    static let ownKeys: [RecipeKey] = {
        let objectives = ModelKind.choices.flatMap(\.ownObjectives)
        let options = objectives.flatMap { objective in objective.options.map { (objective.word, $0) } }
        return options.map(\.1.name).unique.map { name in
            let own = options.filter { $0.1.name == name }
            var key = RecipeKey(
                "objective.\(name)", \.objective.values[name], own[0].1.form, of: .objective,
                Dictionary(own.map { ($0.0, $0.1.standard) }, uniquingKeysWith: { first, _ in first }),
                own[0].1.documentation)
            key.isOfOneLoss = true
            return key
        }
    }()

    /// A number of the loss, of a recipe whose defaults are filled in.
    func number(_ name: String) -> Double { values[name]?.number ?? .nan }
    /// A word or a text of the loss.
    func word(_ name: String) -> String { values[name]?.word ?? "" }
    /// A truth of the loss.
    func flag(_ name: String) -> Bool { values[name]?.flag ?? false }
}

import Foundation
import Storage
import Tensors

extension Inspection {
    /// The facts as lines for a person.
    public var text: String {
        switch self {
        case .model(let model): Self.text(model)
        case .analytic(let facts): facts.text
        case .tensors(let file): Self.text(file)
        case .picture(let picture):
            (["\(picture.format), \(picture.width)×\(picture.height) pixels"]
                + (picture.settings.map(Self.lines) ?? []) + Self.lines(picture.texts))
                .joined(separator: "\n")
        }
    }

    /// What a picture was made with; the texts that say so follow whole.
    private static func lines(_ settings: PictureSettings) -> [String] {
        let facts: [(String, String?)] = [
            ("made by", settings.program), ("prompt", settings.prompt),
            ("negative prompt", settings.negativePrompt), ("steps", settings.steps.map(String.init)),
            ("sampler", settings.sampler), ("seed", settings.seed.map(String.init)),
            ("guidance", settings.guidance.map { "\($0)" }), ("model", settings.model),
            ("model hash", settings.modelHash),
        ]
        return facts.compactMap { name, value in
            value.flatMap { $0.isEmpty ? nil : "\(name): \(printableLines($0))" }
        }
    }

    private static func text(_ model: Model) -> String {
        // Digits, and not a number: sizes that configurations claim can be of any length.
        let size = String(format: "%.3f", model.float32Megabytes).split(separator: ".")
        var lines = [
            "\(model.family), \(grouped(model.parameters)) parameters, "
                + "\(grouped(digits: size[0])).\(size[1]) MB in float32"
        ]
        for (name, component) in model.components.sorted(by: { $0.key < $1.key }) {
            let count = component.parameters.map { "  \(grouped($0))" } ?? ""
            let note = component.isPublished == false ? "  (sizes of its own)" : ""
            lines.append("\(name)  \(printable(component.className))\(count)\(note)")
            let width = component.parts?.map(\.name.count).max() ?? 0
            for part in component.parts ?? [] {
                let gap = String(repeating: " ", count: width - part.name.count + 2)
                lines.append("  \(part.name)\(gap)\(grouped(part.parameters))")
            }
        }
        let rest = model.file.map(text) ?? remark(nonFinite: model.nonFinite)
        return (lines + rest).joined(separator: "\n")
    }

    private static func text(_ file: Model.File) -> [String] {
        let reasons = Dictionary(grouping: file.setAside, by: \.reason).sorted { $0.key < $1.key }
        var lines = ["one file in the layout of '\(file.layout.rawValue)'"]
        lines += reasons.map { reason, rows in
            "set aside: \(quoted(rows[0].name))" + (rows.count > 1 ? " and \(rows.count - 1) more" : "")
                + ": \(reason)"
        }
        lines += file.caveats.map { "note: \($0)" }
        if let first = file.strays.first {
            lines.append(
                "warning: \(file.strays.count) tensors belong to nothing known, such as \(quoted(first))")
        }
        return lines + remark(nonFinite: file.nonFinite)
    }

    private static func text(_ file: Tensors) -> String {
        var lines = Self.lines(file.metadata)
        // A single long name does not move the others' columns to the right.
        let width = min(file.tensors.map(\.name.utf8.count).max() ?? 0, 100)
        lines += file.tensors.map { entry in
            let gap = String(repeating: " ", count: max(width - entry.name.utf8.count, 0) + 2)
            return "\(printable(entry.name))\(gap)\(entry.dtype)  \(Shape(entry.shape))"
        }
        lines.append("\(file.tensors.count) tensors, \(grouped(file.parameters)) values")
        return (lines + remark(nonFinite: file.nonFinite)).joined(separator: "\n")
    }

    private static func remark(nonFinite count: Int?) -> [String] {
        switch count {
        case nil: []
        case 0?: ["all values are finite"]
        case let count?: ["warning: \(grouped(count)) values are not finite"]
        }
    }

    /// Texts of a file by their names. Further lines of a text stand to the right, so that none looks like one of the
    /// program's own.
    private static func lines(_ texts: [String: String]) -> [String] {
        texts.sorted { $0.key < $1.key }.map { name, text in
            printable(name) + ": " + printableLines(text, separator: "\n  ")
        }
    }

    /// 2,996,315
    private static func grouped(_ number: Int) -> String {
        grouped(digits: String(number))
    }

    private static func grouped(digits: some StringProtocol) -> String {
        String(
            digits.reversed().enumerated().flatMap { $0 > 0 && $0 % 3 == 0 ? [",", $1] : [$1] }.reversed())
    }
}

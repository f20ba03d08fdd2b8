import Foundation
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
                + picture.texts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" })
                .joined(separator: "\n")
        }
    }

    private static func text(_ model: Model) -> String {
        let size = String(format: "%.3f", model.float32Megabytes).split(separator: ".")
        var lines = [
            "\(model.family), \(grouped(model.parameters)) parameters, "
                + "\(grouped(Int(size[0])!)).\(size[1]) MB in float32"
        ]
        for (name, component) in model.components.sorted(by: { $0.key < $1.key }) {
            let count = component.parameters.map { "  \(grouped($0))" } ?? ""
            let note = component.isPublished == false ? "  (sizes of its own)" : ""
            lines.append("\(name)  \(component.className)\(count)\(note)")
            let width = component.parts?.map(\.name.count).max() ?? 0
            for part in component.parts ?? [] {
                let gap = String(repeating: " ", count: width - part.name.count + 2)
                lines.append("  \(part.name)\(gap)\(grouped(part.parameters))")
            }
        }
        return (lines + (model.file.map(text) ?? [])).joined(separator: "\n")
    }

    private static func text(_ file: Model.File) -> [String] {
        let reasons = Dictionary(grouping: file.setAside, by: \.reason).sorted { $0.key < $1.key }
        var lines = ["one file in the layout of '\(file.layout.rawValue)'"]
        lines += reasons.map { reason, rows in
            "set aside: \(rows[0].name)" + (rows.count > 1 ? " and \(rows.count - 1) more" : "")
                + ": \(reason)"
        }
        lines += file.caveats.map { "note: \($0)" }
        if let first = file.strays.first {
            lines.append("warning: \(file.strays.count) tensors belong to nothing known, such as \(first)")
        }
        if file.nonFinite > 0 { lines.append("warning: \(grouped(file.nonFinite)) values are not finite") }
        return lines
    }

    private static func text(_ file: Tensors) -> String {
        var lines = file.metadata.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        let width = file.tensors.map(\.name.count).max() ?? 0
        lines += file.tensors.map { entry in
            let gap = String(repeating: " ", count: width - entry.name.count + 2)
            return "\(entry.name)\(gap)\(entry.dtype)  \(Shape(entry.shape))"
        }
        lines.append("\(file.tensors.count) tensors, \(grouped(file.parameters)) values")
        if file.nonFinite > 0 { lines.append("warning: \(grouped(file.nonFinite)) values are not finite") }
        return lines.joined(separator: "\n")
    }

    /// 2,996,315
    private static func grouped(_ number: Int) -> String {
        let digits = String(number)
        return String(
            digits.reversed().enumerated().flatMap { $0 > 0 && $0 % 3 == 0 ? [",", $1] : [$1] }.reversed())
    }
}

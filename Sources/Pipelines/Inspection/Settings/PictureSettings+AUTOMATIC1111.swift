import Foundation
import Storage

extension PictureSettings {
    /// The text `parameters` of AUTOMATIC1111's web interface and of the many programs that write its form: the prompt, a line
    /// `Negative prompt: …`, and a last line of names and values.
    @Sendable static func automatic1111(_ texts: [String: String]) -> PictureSettings? {
        guard let text = texts["parameters"] else { return nil }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while lines.last?.isEmpty == true { lines.removeLast() }
        var facts = lines.last.map(facts) ?? [:]
        // A prompt may hold a colon or two; the line of facts has more.
        if facts.count < 3 { facts = [:] } else { lines.removeLast() }
        let mark = "Negative prompt:"
        let negative = lines.firstIndex { $0.hasPrefix(mark) } ?? lines.endIndex
        var settings = PictureSettings(program: "AUTOMATIC1111")
        settings.prompt = lines[..<negative].joined(separator: "\n").trimmed
        settings.negativePrompt = lines[negative...].joined(separator: "\n").dropFirst(mark.count).trimmed
        (settings.steps, settings.sampler) = (facts["Steps"].flatMap { Int($0) }, facts["Sampler"])
        (settings.seed, settings.guidance) = (
            facts["Seed"].flatMap { UInt64($0) }, facts["CFG scale"].flatMap { Double($0) }
        )
        (settings.model, settings.modelHash) = (facts["Model"], facts["Model hash"])
        return settings
    }

    /// The names and values of a line, separated by commas; a value that holds a comma itself is written as JSON.
    static func facts(_ line: String) -> [String: String] {
        var facts: [String: String] = [:]
        var rest = line[...]
        while let colon = rest.firstIndex(of: ":") {
            let name = rest[..<colon].trimmed
            guard let first = name.first, first.isLetter || first.isNumber,
                name.allSatisfy({ $0.isLetter || $0.isNumber || "_ -/+".contains($0) })
            else { break }
            rest = rest[rest.index(after: colon)...].drop { $0 == " " }
            if rest.first == "\"", let end = closingQuote(rest) {
                let quoted = String(rest[...end])
                facts[name] =
                    (try? JSONValue(parsing: quoted.utf8, place: "")).flatMap { Self.text($0) } ?? quoted
                rest = rest[rest.index(after: end)...].drop { $0 != "," }.dropFirst()
            } else {
                let end = rest.firstIndex(of: ",") ?? rest.endIndex
                facts[name] = rest[..<end].trimmed
                rest = rest[end...].dropFirst()
            }
        }
        return facts
    }

    /// Where a text of JSON that begins with a quotation mark ends.
    private static func closingQuote(_ text: Substring) -> Substring.Index? {
        var isEscaped = false
        for index in text.indices.dropFirst() {
            if isEscaped {
                isEscaped = false
            } else if text[index] == "\\" {
                isEscaped = true
            } else if text[index] == "\"" {
                return index
            }
        }
        return nil
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// Text from outside (a name in a file, a value of a setting) as it may stand in a message: quoted, without
/// control characters, and cut where it is long, because files from others can hold anything.
package func quoted(_ text: some StringProtocol) -> String {
    let limit = 100
    var shown = "\""
    var count = 0
    for scalar in text.unicodeScalars {
        let letters = printable(scalar)
        count += letters.unicodeScalars.count
        guard count <= limit else {
            shown += "…"
            break
        }
        shown += letters
    }
    return shown + "\""
}

/// The first names of a list, quoted, and how many more there are: at most twenty, and a few hundred letters.
package func listed(_ names: some Collection<String>) -> String {
    listed(names) { quoted($0) }
}

/// The first items of a list, each as `text` writes it, and how many more there are.
package func listed<Items: Collection>(_ items: Items, _ text: (Items.Element) -> String) -> String {
    let (mostItems, mostLetters) = (20, 300)
    var shown: [String] = []
    var count = 0
    for item in items.prefix(mostItems) {
        let text = text(item)
        count += text.count + 2
        if count > mostLetters, !shown.isEmpty { break }
        shown.append(text)
    }
    let rest = items.count - shown.count
    return shown.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
}

/// Text from outside as a terminal may be given it, whole: for results, and for paths, whose last part may have been
/// found in a folder.
package func printable(_ text: some StringProtocol) -> String {
    // Most text needs no change.
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    return isPlain ? String(text) : text.unicodeScalars.map(printable).joined()
}

/// A character as a terminal may be given it: what moves the cursor, ends the line or turns the text around is
/// written by its number.
private func printable(_ scalar: Unicode.Scalar) -> String {
    movesTerminal(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
}

/// Whether a character moves the cursor, ends the line or turns the text around.
private func movesTerminal(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
    default: false
    }
}

/// A JSON text as a terminal may be given it: the same value, in which characters above ASCII that move the cursor, end
/// the line or turn the text around are escaped. Encoders escape those of ASCII, but for the last one.
package func printableJSON(_ text: String) -> String {
    guard !text.utf8.allSatisfy({ $0 < 0x7F }) else { return text }
    return text.unicodeScalars.map { scalar in
        guard scalar.value >= 0x7F, movesTerminal(scalar) else { return String(scalar) }
        return String(scalar).utf16.map { "\\u" + String(UInt32($0) | 0x10000, radix: 16).dropFirst() }
            .joined()
    }.joined()
}

/// A text without control characters but for its ends of lines.
///
/// Line by line: a million short ones, which a small file can hold, are never there as a million texts.
/// - Parameter separator: what stands between lines.
package func printableLines(_ text: String, separator: String = "\n") -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    var rest = text.unicodeScalars[...]
    while let end = rest.firstIndex(of: "\n") {
        result += printable(String(rest[..<end]))
        result += separator
        rest = rest[rest.index(after: end)...]
    }
    return result + printable(String(rest))
}

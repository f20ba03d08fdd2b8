extension JSONValue {
    /// The value as text in the form in which diffusers writes configurations: keys sorted, two spaces
    /// of indentation, everything outside ASCII escaped, a newline at the end. Equal values give equal text.
    ///
    /// Numbers that are not finite come out as `NaN`, `Infinity` and `-Infinity`, as in Python.
    public var text: String {
        var text = ""
        write(to: &text, indentation: 0)
        return text + "\n"
    }

    private func write(to text: inout String, indentation: Int) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += value.jsonText
        case .string(let value): text += jsonString(value, asciiOnly: true)
        case .array(let elements):
            writeList(elements, "[", "]", to: &text, indentation) { element, text, indentation in
                element.write(to: &text, indentation: indentation)
            }
        case .object(let object):
            let members = object.members.sorted { byteOrder($0.0, $1.0) }
            writeList(members, "{", "}", to: &text, indentation) { member, text, indentation in
                text += jsonString(member.0, asciiOnly: true) + ": "
                member.1.write(to: &text, indentation: indentation)
            }
        }
    }

    private func writeList<Item>(
        _ items: [Item], _ open: String, _ close: String, to text: inout String, _ indentation: Int,
        _ write: (Item, inout String, Int) -> Void
    ) {
        text += open
        for (i, item) in items.enumerated() {
            text += (i == 0 ? "\n" : ",\n") + String(repeating: " ", count: indentation + 2)
            write(item, &text, indentation + 2)
        }
        if !items.isEmpty { text += "\n" + String(repeating: " ", count: indentation) }
        text += close
    }
}

extension Double {
    /// The shortest text that reads back as this number.
    fileprivate var jsonText: String {
        if isNaN { return "NaN" }
        if isInfinite { return self < 0 ? "-Infinity" : "Infinity" }
        return description
    }
}

/// A string in double quotes. Escapes what JSON requires and, if asked, everything outside ASCII.
package func jsonString(_ string: String, asciiOnly: Bool = false) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\u{8}": text += "\\b"
        case "\u{c}": text += "\\f"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case "\0"..<" ": text += unicodeEscape(UInt16(scalar.value))
        case "\u{7f}"... where asciiOnly:
            for unit in String(scalar).utf16 { text += unicodeEscape(unit) }
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text + "\""
}

private func unicodeEscape(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
}

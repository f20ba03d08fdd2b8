extension String {
    /// The text in lower case without white space around it, as Python's `str.lower` and `str.strip` have it: a capital
    /// sigma at the end of a word has a form of its own.
    package var lowercasedAndStripped: String {
        let scalars = Array(unicodeScalars)
        var lowered = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            if scalar == "\u{3A3}", Self.isFinal(index, in: scalars) {
                lowered.append("\u{3C2}")
            } else {
                lowered.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
            }
        }
        let body = lowered.drop(while: Self.isSpace)
        return String(String.UnicodeScalarView(body.reversed().drop(while: Self.isSpace).reversed()))
    }

    /// Whether a letter comes before and none after, whatever marks stand between.
    private static func isFinal(_ index: Int, in scalars: [Unicode.Scalar]) -> Bool {
        func isLetter(_ others: some Sequence<Unicode.Scalar>) -> Bool {
            others.first { !$0.properties.isCaseIgnorable }?.properties.isCased ?? false
        }
        return isLetter(scalars[..<index].reversed()) && !isLetter(scalars[(index + 1)...])
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
}

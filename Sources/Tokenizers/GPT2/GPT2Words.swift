/// What GPT-2's tokenizer does to a text before byte pairs: cutting into words that keep the space before them.
enum GPT2Words {
    /// A text in lower case, where a sigma that ends a word is one of its own.
    /// Source: Unicode 16, section 3.13 and SpecialCasing.txt.
    static func lowercased(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            if scalar == "Σ" {
                result.append(endsWord(scalars, at: index) ? "ς" : "σ")
            } else {
                for scalar in scalar.properties.lowercaseMapping.unicodeScalars { result.append(scalar) }
            }
        }
        return String(result)
    }

    /// Whether a letter stands before a character, and none behind it; marks do not count.
    private static func endsWord(_ scalars: [Unicode.Scalar], at index: Int) -> Bool {
        func isCased(_ others: some Sequence<Unicode.Scalar>) -> Bool {
            others.first { !$0.properties.isCaseIgnorable }?.properties.isCased ?? false
        }
        return isCased(scalars[..<index].reversed()) && !isCased(scalars[(index + 1)...])
    }

    /// Calls `body` with every word: one of 's 't 're 've 'm 'll 'd; or a run of letters, of numbers, or of other characters
    /// that are no white space, each with one space before it where there is one; or what is left of white space.
    static func forEachWord(of text: String, _ body: (ArraySlice<UInt8>) -> Void) {
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = CLIPWords.endOfContraction(at: start, bytes) ?? endOfWord(from: start, bytes)
            body(bytes[start..<end])
            start = end
        }
    }

    private static func endOfWord(from start: Int, _ bytes: [UInt8]) -> Int {
        let (first, second) = CLIPWords.kind(at: start, bytes)
        guard first == .space else { return CLIPWords.endOfRun(first, from: second, bytes) }
        if bytes[start] == UInt8(ascii: " "), second < bytes.count {
            let (kind, next) = CLIPWords.kind(at: second, bytes)
            if kind != .space { return CLIPWords.endOfRun(kind, from: next, bytes) }
        }
        // The last space of several belongs to the word behind them.
        let end = CLIPWords.endOfRun(.space, from: second, bytes)
        guard end < bytes.count, end > second else { return end }
        var last = start
        while true {
            let next = CLIPWords.kind(at: last, bytes).1
            guard next < end else { return last }
            last = next
        }
    }
}

import Foundation

/// What CLIP's tokenizer does to a text before byte pairs: cleaning, and cutting into words.
///
/// It follows `CLIPTokenizer` of transformers 5, down to the versions of Unicode that its parts know:
/// letters and numbers are those of Unicode 16, composition is that of Unicode 9.
enum CLIPWords {
    /// The tokens that begin and end every prompt.
    static let (startMarker, endMarker) = ("<|startoftext|>", "<|endoftext|>")

    /// The text in Unicode's form NFC, with every run of white space made one space, in lower case.
    static func cleaned(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return cleanedASCII(text) }
        var result = String.UnicodeScalarView()
        var inSpace = false
        for scalar in composed(text).unicodeScalars {
            let properties = scalar.properties
            let isSpace = properties.isWhitespace
            if !isSpace {
                if properties.changesWhenLowercased {
                    // Not append(contentsOf:), which copies the whole text.
                    for scalar in properties.lowercaseMapping.unicodeScalars { result.append(scalar) }
                } else {
                    result.append(scalar)
                }
            } else if !inSpace {
                result.append(" ")
            }
            inSpace = isSpace
        }
        return String(result)
    }

    private static func cleanedASCII(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case 9...13, 32:
                if result.last != 32 { result.append(32) }
            case 65...90: result.append(byte + 32)
            default: result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Calls `body` with every word: a run of letters, one number, a run of other characters that are no
    /// white space, or one of 's 't 're 've 'm 'll 'd.
    static func forEachWord(of text: String, _ body: (ArraySlice<UInt8>) -> Void) {
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            var (kind, end) = kind(at: start, bytes)
            switch kind {
            case .space, .number: break
            case .letter: end = endOfRun(.letter, from: end, bytes)
            case .other:
                if let marker = marker(at: start, bytes) {
                    for part in marker.parts {
                        body(bytes[start + part.lowerBound..<start + part.upperBound])
                    }
                    start += marker.count
                    continue
                }
                end = endOfContraction(at: start, bytes) ?? endOfRun(.other, from: end, bytes)
            }
            if kind != .space { body(bytes[start..<end]) }
            start = end
        }
    }
}

extension CLIPWords {
    /// What a character counts as where words are cut.
    enum Kind { case letter, number, space, other }

    /// The kind of a character and where the next one begins.
    static func kind(at index: Int, _ bytes: [UInt8]) -> (Kind, Int) {
        switch bytes[index] {
        case 97...122, 65...90: return (.letter, index + 1)
        case 48...57: return (.number, index + 1)
        case 9...13, 32: return (.space, index + 1)
        case 0..<0x80: return (.other, index + 1)
        default: break
        }
        let scalar = bytes.scalar(at: index)
        let next = index + UTF8.width(scalar)
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            return (scalar.isNewer(than: 16) ? .other : .letter, next)
        case .decimalNumber, .letterNumber, .otherNumber:
            return (scalar.isNewer(than: 16) ? .other : .number, next)
        default: return (scalar.properties.isWhitespace ? .space : .other, next)
        }
    }

    /// Where a run of characters of a kind ends.
    static func endOfRun(_ kind: Kind, from start: Int, _ bytes: [UInt8]) -> Int {
        var end = start
        while end < bytes.count {
            let (found, next) = self.kind(at: end, bytes)
            guard found == kind else { break }
            end = next
        }
        return end
    }

    /// Where one of 's 't 're 've 'm 'll 'd ends, nil where none begins.
    static func endOfContraction(at start: Int, _ bytes: [UInt8]) -> Int? {
        guard bytes[start] == UInt8(ascii: "'") else { return nil }
        return ["s", "t", "re", "ve", "m", "ll", "d"].lazy
            .filter { bytes[(start + 1)...].starts(with: $0.utf8) }
            .map { start + 1 + $0.utf8.count }.first
    }

    /// A marker of start or end that was not found as a token of its own. The pattern of words knows it as
    /// one, but the pattern that is applied after it takes it apart again: brackets, letters, brackets.
    private static func marker(at start: Int, _ bytes: [UInt8]) -> (count: Int, parts: [Range<Int>])? {
        guard bytes[start] == UInt8(ascii: "<") else { return nil }
        for marker in [startMarker, endMarker] where bytes[start...].starts(with: marker.utf8) {
            let count = marker.utf8.count
            return (count, [0..<2, 2..<count - 2, count - 2..<count])
        }
        return nil
    }

    /// The text in form NFC of Unicode 9. Later characters neither combine nor move, so they cut the text, and
    /// so do the letters of old Korean, which Foundation takes for modern ones.
    private static func composed(_ text: String) -> String {
        // Whatever lies below U+0300 (whose first byte is 0xCC) is composed.
        guard text.utf8.contains(where: { $0 >= 0xCC }) else { return text }
        var result = ""
        var segment = String.UnicodeScalarView()
        var marks: [Unicode.Scalar] = []
        func endMarks() {
            guard !marks.isEmpty else { return }
            // Foundation orders marks too, but in quadratic time: a long row of them would take minutes.
            let groups = Dictionary(grouping: marks, by: \.combiningClass).sorted { $0.key < $1.key }
            for mark in groups.lazy.flatMap(\.value) { segment.append(mark) }
            marks.removeAll(keepingCapacity: true)
        }
        func endSegment() {
            endMarks()
            result += String(segment).precomposedStringWithCanonicalMapping
            segment = String.UnicodeScalarView()
        }
        for scalar in text.unicodeScalars {
            if scalar.isNewer(than: 9) || scalar.isOldHangul {
                endSegment()
                result.unicodeScalars.append(scalar)
            } else if let parts = scalar.tibetanParts {
                marks += parts
            } else if scalar.combiningClass > 0 {
                marks.append(scalar)
            } else {
                endMarks()
                segment.append(scalar)
            }
        }
        endSegment()
        return result
    }
}

extension Unicode.Scalar {
    /// Whether Unicode has it only since a version after this one, or not at all.
    fileprivate func isNewer(than version: Int) -> Bool {
        value >= 0x80 && (properties.age.map { $0.major > version } ?? true)
    }

    /// Whether it is a letter that no modern Korean syllable has.
    fileprivate var isOldHangul: Bool {
        switch value {
        case 0x1113...0x1160, 0x1176...0x11A7, 0x11C3...0x11FF: true
        default: false
        }
    }

    fileprivate var combiningClass: UInt8 {
        value < 0x300 ? 0 : properties.canonicalCombiningClass.rawValue
    }

    /// The marks that the only three characters stand for that are marks without a combining class.
    fileprivate var tibetanParts: [Unicode.Scalar]? {
        switch value {
        case 0x0F73: ["\u{F71}", "\u{F72}"]
        case 0x0F75: ["\u{F71}", "\u{F74}"]
        case 0x0F81: ["\u{F71}", "\u{F80}"]
        default: nil
        }
    }
}

import Foundation
import Storage

/// How BERT cleans a text and cuts it into words.
/// Source: Devlin et al. 2018 (arXiv:1810.04805), and the normalizer of the tokenizers library, which transformers uses.
struct BERTWords: Sendable {
    private let lowersCase: Bool
    private let stripsAccents: Bool
    private let separatesIdeographs: Bool

    /// Reads `tokenizer_config.json`.
    init(_ configuration: JSONObject) throws {
        lowersCase = try read { try configuration.optional("do_lower_case") ?? true }
        let strips: Bool? = try read { try configuration.optional("strip_accents") }
        stripsAccents = strips ?? lowersCase
        separatesIdeographs = try read { try configuration.optional("tokenize_chinese_chars") ?? true }
    }

    /// A text without controls, with spaces around ideographs, without accents, in lower case.
    func cleaned(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar.isBERTSpace {
                scalars.append(" ")
            } else if scalar.isBERTControl {
                continue
            } else if separatesIdeographs, scalar.isIdeograph {
                scalars.append(contentsOf: [" ", scalar, " "])
            } else {
                scalars.append(scalar)
            }
        }
        var cleaned = String(scalars)
        if stripsAccents {
            let parts = cleaned.decomposedStringWithCanonicalMapping.unicodeScalars
            cleaned = String(
                String.UnicodeScalarView(
                    parts.filter { $0.properties.generalCategory != .nonspacingMark }))
        }
        guard lowersCase else { return cleaned }
        return cleaned.unicodeScalars.map(\.properties.lowercaseMapping).joined()
    }

    /// The words of a cleaned text: what stands between spaces, each punctuation mark by itself.
    static func words(of text: String) -> [String] {
        var words: [String] = []
        var word = String.UnicodeScalarView()
        func finish() {
            if !word.isEmpty { words.append(String(word)) }
            word = String.UnicodeScalarView()
        }
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace {
                finish()
            } else if scalar.isPunctuation {
                finish()
                words.append(String(Character(scalar)))
            } else {
                word.append(scalar)
            }
        }
        finish()
        return words
    }
}

extension Unicode.Scalar {
    fileprivate var isBERTSpace: Bool {
        self == "\t" || self == "\n" || self == "\r" || properties.isWhitespace
    }

    /// U+0000, U+FFFD, controls, format characters, and what stands for no character.
    fileprivate var isBERTControl: Bool {
        if value == 0 || value == 0xFFFD { return true }
        switch properties.generalCategory {
        case .control, .format, .privateUse, .surrogate: return true
        default: return false
        }
    }

    /// Every mark of ASCII counts, letters and digits aside, and what Unicode calls punctuation.
    fileprivate var isPunctuation: Bool {
        if isASCII {
            return (33...126).contains(value) && !properties.isAlphabetic && !(48...57).contains(value)
        }
        switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation:
            return true
        default: return false
        }
    }

    /// The blocks of ideographs; the last but two begins later than its block does, as in the library.
    fileprivate var isIdeograph: Bool {
        [
            0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
            0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F,
        ].contains { $0.contains(Int(value)) }
    }
}

/// A part of a prompt and how much it counts.
public struct WeightedText: Sendable, Equatable {
    /// The words.
    public var text: String
    /// The factor of their tokens; 1 is as usual.
    public var weight: Double

    /// A part of a prompt.
    public init(_ text: String, weight: Double = 1) {
        self.text = text
        self.weight = weight
    }
}

extension WeightedText {
    /// Reads a prompt's weights in the manner of AUTOMATIC1111's web interface.
    ///
    /// `(words)` counts 1.1 times as much, `[words]` as much less, `(words:1.3)` 1.3 times; brackets nest
    /// and multiply, and those that nobody closes reach to the end. `\(`, `\)`, `\[`, `\]` and `\\` are
    /// the characters themselves; any other backslash is dropped. What is no weight stays text, and so do
    /// brackets in more than 100 others.
    public static func parts(of prompt: String) -> [WeightedText] {
        var reader = WeightReader(prompt)
        return reader.parts()
    }
}

extension WeightedText {
    /// The same of each part of a prompt that the word `BREAK` divides: parts are encoded by themselves, with places for as many
    /// tokens each. White space around the word is left out.
    public static func chunks(of prompt: String) -> [[WeightedText]] {
        var chunks: [[WeightedText]] = [[]]
        for part in parts(of: prompt) {
            for (index, piece) in divided(part.text).enumerated() {
                if index > 0 { chunks.append([]) }
                if !piece.isEmpty {
                    chunks[chunks.count - 1].append(WeightedText(piece, weight: part.weight))
                }
            }
        }
        return chunks
    }

    private static func divided(_ text: String) -> [String] {
        let (scalars, word) = (Array(text.unicodeScalars), Array("BREAK".unicodeScalars))
        func isOfWord(_ index: Int) -> Bool {
            guard scalars.indices.contains(index) else { return false }
            let properties = scalars[index].properties
            return properties.isAlphabetic || properties.numericType != nil || scalars[index] == "_"
        }
        func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }
        var (pieces, rest, position) = ([String](), scalars[...], 0)
        while position + word.count <= scalars.count {
            let end = position + word.count
            guard scalars[position..<end].elementsEqual(word), !isOfWord(position - 1), !isOfWord(end) else {
                position += 1
                continue
            }
            let before = scalars[rest.startIndex..<position].reversed().drop(while: isSpace).reversed()
            pieces.append(String(String.UnicodeScalarView(before)))
            rest = scalars[end...].drop(while: isSpace)
            position = max(end, rest.startIndex)
        }
        return pieces + [String(String.UnicodeScalarView(rest))]
    }
}

private struct WeightReader {
    private enum Bracket: Double {
        case round = 1.1
        case square = 0.9090909090909091  // 1 / 1.1
    }

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var read: [WeightedText] = []
    /// Text that belongs to no part yet.
    private var text = ""
    /// The parts at which the brackets that are still open began.
    private var starts: [Bracket: [Int]] = [.round: [], .square: []]

    init(_ prompt: String) { scalars = Array(prompt.unicodeScalars) }

    /// Everything, with neighbours of equal weight joined.
    mutating func parts() -> [WeightedText] {
        while position < scalars.count { readNext() }
        for bracket in [Bracket.round, .square] {
            while isOpen(bracket) { close(bracket) }
        }
        endPart()
        var joined: [WeightedText] = []
        for part in read {
            if let last = joined.indices.last, joined[last].weight == part.weight {
                joined[last].text += part.text
            } else {
                joined.append(part)
            }
        }
        return joined
    }

    private mutating func readNext() {
        let scalar = scalars[position]
        position += 1
        switch scalar {
        case "\\": readEscape()
        case "(" where canOpen(.round): open(.round)
        case "[" where canOpen(.square): open(.square)
        case ")" where isOpen(.round): close(.round)
        case "]" where isOpen(.square): close(.square)
        case ":" where isOpen(.round):
            if let weight = readWeight() { close(.round, weight) } else { text.unicodeScalars.append(scalar) }
        default: text.unicodeScalars.append(scalar)
        }
    }

    private mutating func readEscape() {
        guard position < scalars.count, "()[]\\".unicodeScalars.contains(scalars[position]) else { return }
        text.unicodeScalars.append(scalars[position])
        position += 1
    }

    /// Reads a number and the bracket after it, if that is what comes.
    private mutating func readWeight() -> Double? {
        var end = position
        func skip(_ isMeant: (Unicode.Scalar) -> Bool) {
            while end < scalars.count, isMeant(scalars[end]) { end += 1 }
        }
        skip(\.properties.isWhitespace)
        let start = end
        skip { "+-.0123456789".unicodeScalars.contains($0) }
        let number = String(String.UnicodeScalarView(scalars[start..<end]))
        skip(\.properties.isWhitespace)
        guard end < scalars.count, scalars[end] == ")", let weight = Double(number) else { return nil }
        position = end + 1
        return weight
    }

    private mutating func endPart() {
        if !text.isEmpty { read.append(WeightedText(text)) }
        text = ""
    }

    /// The time that brackets take grows with their depth, and nobody needs a weight of 13,781.
    private func canOpen(_ bracket: Bracket) -> Bool { starts[bracket, default: []].count < 100 }

    private func isOpen(_ bracket: Bracket) -> Bool { starts[bracket]?.isEmpty == false }

    private mutating func open(_ bracket: Bracket) {
        endPart()
        starts[bracket]?.append(read.count)
    }

    private mutating func close(_ bracket: Bracket, _ factor: Double? = nil) {
        endPart()
        guard let start = starts[bracket]?.popLast() else { return }
        for index in read.indices.dropFirst(start) { read[index].weight *= factor ?? bracket.rawValue }
    }
}

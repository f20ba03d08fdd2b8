import Storage

/// A prompt whose words change over the steps, in the manner of AUTOMATIC1111's web interface.
///
/// `[a:b:4]` is a in the first 4 steps and b in the others, `[a:b:0.5]` changes after half of all steps, `[b:4]` comes then and
/// `[a::4]` goes; `[a|b]` is a and b in turns. They nest, also in brackets that are weights, which stay as they are for
/// `WeightedText`; so does all that is none of these. `\` takes its meaning from the character that follows.
public struct PromptSchedule: Sendable {
    private enum Node {
        case text(String)
        case change(before: [Node], after: [Node], When)
        case turns([[Node]])
    }

    /// After which step something changes.
    private struct When {
        /// As the prompt has it.
        let text: String
        let isShare: Bool
        let number: Double

        func step(of steps: Int) -> Int { isShare ? Int(number * Double(steps)) : Int(number) }
    }

    private let nodes: [Node]
    private var moments: [When] = []
    /// Whether it is the same at every step.
    public private(set) var isConstant = true

    /// Reads a prompt.
    /// - Throws: `TokenizerError` where the number at which something changes is none of a step.
    public init(_ prompt: String) throws {
        var reader = Reader(prompt)
        nodes = try reader.nodes()
        (moments, isConstant) = (reader.moments, reader.isConstant)
    }

    /// The prompt at each of so many steps.
    /// - Throws: `TokenizerError` where something changes after the last one.
    public func texts(steps: Int) throws -> [String] {
        if let late = moments.first(where: { $0.step(of: steps) > steps }) {
            throw TokenizerError(
                "the prompt",
                "something changes after step \(late.text), and there are \(steps): name an earlier one")
        }
        return (0..<steps).map { Self.text(of: nodes, at: $0, of: steps) }
    }

    private static func text(of nodes: [Node], at step: Int, of steps: Int) -> String {
        nodes.map { node in
            switch node {
            case .text(let text): text
            case .change(let before, let after, let when):
                text(of: step < when.step(of: steps) ? before : after, at: step, of: steps)
            case .turns(let options): text(of: options[step % options.count], at: step, of: steps)
            }
        }.joined()
    }

    private struct Reader {
        private let scalars: [Unicode.Scalar]
        /// Where the bracket closes that opens at a place.
        private var ends: [Int: Int] = [:]
        var moments: [When] = []
        var isConstant = true

        init(_ prompt: String) {
            scalars = Array(prompt.unicodeScalars)
            // Pairs are found beforehand, so that a bracket which nobody closes costs nothing; deeper ones than a person
            // writes are text.
            var open: [Int] = []
            var position = 0
            while position < scalars.count {
                switch scalars[position] {
                case "\\": position += 1
                case "(", "[": if open.count < 100 { open.append(position) }
                case ")": close("(", at: position, &open)
                case "]": close("[", at: position, &open)
                default: break
                }
                position += 1
            }
        }

        /// Closes the last bracket of a kind; those within it that are open stay text.
        private mutating func close(_ kind: Unicode.Scalar, at position: Int, _ open: inout [Int]) {
            guard let index = open.lastIndex(where: { scalars[$0] == kind }) else { return }
            ends[open[index]] = position
            open.removeSubrange(index...)
        }

        mutating func nodes() throws -> [Node] {
            try parts(of: 0..<scalars.count, isDivided: false).parts[0]
        }

        /// The parts of a range, divided at `:` and `|` outside of brackets where that is asked for, and what divides them.
        private mutating func parts(of range: Range<Int>, isDivided: Bool) throws -> (
            parts: [[Node]], dividers: [Unicode.Scalar]
        ) {
            var (parts, dividers): ([[Node]], [Unicode.Scalar]) = ([[]], [])
            var text = String.UnicodeScalarView()
            func endText() {
                if !text.isEmpty { parts[parts.count - 1].append(.text(String(text))) }
                text = String.UnicodeScalarView()
            }
            var position = range.lowerBound
            while position < range.upperBound {
                let scalar = scalars[position]
                let end = ends[position] ?? range.upperBound
                if scalar == "\\", position + 1 < range.upperBound {
                    text.append(contentsOf: scalars[position...position + 1])
                    position += 2
                } else if "([".unicodeScalars.contains(scalar), end < range.upperBound {
                    endText()
                    parts[parts.count - 1] += try bracket(scalar, position + 1..<end)
                    position = end + 1
                } else if isDivided, ":|".unicodeScalars.contains(scalar) {
                    endText()
                    parts.append([])
                    dividers.append(scalar)
                    position += 1
                } else {
                    text.append(scalar)
                    position += 1
                }
            }
            endText()
            return (parts, dividers)
        }

        /// What a bracket is around a range.
        private mutating func bracket(_ kind: Unicode.Scalar, _ range: Range<Int>) throws -> [Node] {
            guard kind == "[" else {
                return try [.text("(")] + parts(of: range, isDivided: false).parts[0] + [.text(")")]
            }
            let (parts, dividers) = try parts(of: range, isDivided: true)
            if !dividers.isEmpty, dividers.allSatisfy({ $0 == "|" }) {
                isConstant = false
                return [.turns(parts)]
            }
            if (1...2).contains(dividers.count), dividers.allSatisfy({ $0 == ":" }),
                let when = try when(parts[dividers.count])
            {
                isConstant = false
                moments.append(when)
                return [
                    .change(before: parts.count == 3 ? parts[0] : [], after: parts[parts.count - 2], when)
                ]
            }
            // A weight, or text that looks like one.
            let divided = zip(parts.dropFirst(), dividers).flatMap { [.text(String($1))] + $0 }
            return [.text("[")] + parts[0] + divided + [.text("]")]
        }

        /// The number that a part is; `nil` where it is none.
        private func when(_ nodes: [Node]) throws -> When? {
            guard nodes.count == 1, case .text(let part) = nodes[0] else { return nil }
            let body = part.drop(while: \.isWhitespace)
            let text = String(body.prefix { !$0.isWhitespace })
            guard body.dropFirst(text.count).allSatisfy(\.isWhitespace),
                text.allSatisfy({ "+-.0123456789".contains($0) }), let number = Double(text)
            else { return nil }
            let isShare = text.contains(".")
            guard isShare ? (0...1).contains(number) : (0...1_000_000).contains(number) else {
                throw TokenizerError(
                    "the prompt",
                    "something changes at \(quoted(text)), which is neither a share of the steps from 0.0 to 1.0 nor a number of steps"
                )
            }
            return When(text: text, isShare: isShare, number: number)
        }
    }
}

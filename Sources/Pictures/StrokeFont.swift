import Foundation

/// A typeface of lines and curves, drawn for this project.
///
/// A glyph stands on a grid whose base line is at 4, whose small letters reach 12 and whose capitals reach 16;
/// descenders go down to 0. It is written as strokes, each a mark and its points, a point being two base-36
/// digits (x and y): `/` joins the points by straight lines, `~` by a quadratic B-spline that starts in the
/// first and ends in the last, `o` by a closed one, and `.` is a dot.
struct StrokeFont {
    /// Height of a capital in grid units.
    static let capitalHeight = 12.0
    /// Empty space after each glyph in grid units.
    static let gap = 3.6

    /// A glyph ready to be drawn: lines in grid units with y upwards from the base line.
    struct Glyph {
        var lines: [[Point]] = []
        var dots: [Point] = []
        var width = 0.0
    }

    private let glyphs: [Character: Glyph]

    /// The typeface of plots and sheets.
    static let standard = StrokeFont()

    private init() {
        glyphs = strokes.mapValues(StrokeFont.glyph).merging([" ": Glyph(width: 4)]) { $1 }
    }

    /// A character's glyph; an empty box for those that are not drawn. Letters with marks above them are put
    /// together from both.
    func glyph(of character: Character) -> Glyph {
        if let glyph = glyphs[character] { return glyph }
        let parts = String(character).decomposedStringWithCanonicalMapping.unicodeScalars
        guard parts.count > 1, let base = parts.first, var glyph = glyphs[Character(base)] else {
            return StrokeFont.glyph("/040g7g7404")
        }
        let top = glyph.lines.joined().map(\.y).max() ?? 8
        for mark in parts.dropFirst().compactMap({ marks[$0.value] }).map(StrokeFont.glyph) {
            func lifted(_ point: Point) -> Point {
                Point(x: point.x + (glyph.width - mark.width) / 2, y: point.y + top)
            }
            glyph.lines += mark.lines.map { $0.map(lifted) }
            glyph.dots += mark.dots.map(lifted)
        }
        return glyph
    }

    /// Length of a text in pixels where capitals are `size` pixels high.
    func width(of text: String, size: Double) -> Double {
        let units = text.reduce(0) { $0 + glyph(of: $1).width + StrokeFont.gap }
        return max(0, units - StrokeFont.gap) * size / StrokeFont.capitalHeight
    }

    private static func glyph(_ code: String) -> Glyph {
        var glyph = Glyph()
        for stroke in code.split(separator: " ") {
            let points = points(stroke.dropFirst())
            glyph.width = max(glyph.width, points.map(\.x).max() ?? 0)
            switch stroke.first {
            case ".": glyph.dots += points
            case "~": glyph.lines.append(curve(points))
            case "o":
                // A closed curve starts and ends in the middle of its last side.
                let middle = between(points[points.count - 1], points[0])
                glyph.lines.append(curve([middle] + points + [middle]))
            default: glyph.lines.append(points)
            }
        }
        return glyph
    }

    private static func points(_ digits: Substring) -> [Point] {
        let numbers = digits.map { Double($0.hexDigitValue ?? Int(String($0), radix: 36) ?? 0) }
        return stride(from: 0, to: numbers.count - 1, by: 2).map {
            Point(x: numbers[$0], y: numbers[$0 + 1] - 4)
        }
    }

    /// A quadratic B-spline with clamped ends: parabolas between the middles of the control polygon's sides.
    private static func curve(_ controls: [Point]) -> [Point] {
        guard controls.count > 2 else { return controls }
        var result = [controls[0]]
        for index in 1..<(controls.count - 1) {
            let start = index == 1 ? controls[0] : between(controls[index - 1], controls[index])
            let isLast = index == controls.count - 2
            let end = isLast ? controls[index + 1] : between(controls[index], controls[index + 1])
            for step in 1...6 {
                let t = Double(step) / 6
                let (a, b, c) = ((1 - t) * (1 - t), 2 * t * (1 - t), t * t)
                let control = controls[index]
                result.append(
                    Point(
                        x: a * start.x + b * control.x + c * end.x, y: a * start.y + b * control.y + c * end.y))
            }
        }
        return result
    }

    private static func between(_ a: Point, _ b: Point) -> Point {
        Point(x: (a.x + b.x) / 2, y: (a.y + b.y) / 2)
    }
}

/// Where a text lies relative to the point that it is drawn at.
package enum TextAnchor {
    case start, middle, end
}

extension Canvas {
    /// Writes a text.
    ///
    /// - Parameters:
    ///   - at: A point of the base line.
    ///   - size: Height of a capital in pixels.
    ///   - upwards: Whether the text runs from below to above instead of from left to right.
    package mutating func write(
        _ text: String, at origin: Point, size: Double, colour: Plot.Colour, anchor: TextAnchor = .start,
        upwards: Bool = false, bold: Bool = false
    ) {
        let font = StrokeFont.standard
        let length = font.width(of: text, size: size)
        let unit = size / StrokeFont.capitalHeight
        var pen = anchor == .start ? 0 : anchor == .middle ? -length / 2 : -length
        let weight = max(1.1, size * (bold ? 0.17 : 0.125))
        func place(_ point: Point) -> Point {
            let (along, above) = (pen + point.x * unit, point.y * unit)
            return upwards
                ? Point(x: origin.x - above, y: origin.y - along)
                : Point(x: origin.x + along, y: origin.y - above)
        }
        for character in text {
            let glyph = font.glyph(of: character)
            stroke(glyph.lines.map { $0.map(place) }, width: weight, colour: colour)
            dots(glyph.dots.map(place), radius: weight * 0.75, colour: colour)
            pen += (glyph.width + StrokeFont.gap) * unit
        }
    }
}

/// Marks above letters by their Unicode scalar; the base line stands for the top of the letter.
private let marks: [UInt32: String] = [
    0x300: "/0936", 0x301: "/0639", 0x302: "/062846", 0x303: "~07195768", 0x304: "/0656", 0x308: ".07 .37",
    0x30A: "o06363909", 0x30C: "/082648",
]

private let strokes: [Character: String] = [
    "0": "o04848g0g", "1": "/1d4g44 /1474", "2": "~0d0g8g8b04 /0484", "3": "~0e0g7g7a3a ~3a8a840407",
    "4": "/646g0787", "5": "/7g1g0a ~0a2c8c841406", "6": "o04848b0b ~7f2h0d07", "7": "/0g8g34",
    "8": "o04848a0a o1a7a7g1g", "9": "o09898g0g ~1563878d",
    "A": "/044g84 /1777", "B": "/040g ~0g4g7g7a4a0a ~0a5a8a845404", "C": "~8d7g0g047487",
    "D": "/040g ~0g3g8g843404", "E": "/7g0g0474 /0a6a", "F": "/7g0g04 /0a6a", "G": "~8d7g0g048489 /8959",
    "H": "/040g /848g /0a8a", "I": "/040g", "J": "~6g69640407", "K": "/040g /8g08 /3b84", "L": "/0g0474",
    "M": "/040g57aga4", "N": "/040g848g", "O": "o04949g0g", "P": "/040g ~0g4g8g894909",
    "Q": "o04949g0g /5793", "R": "/040g ~0g4g8g894909 /4984", "S": "~8d7g0g0a8a841407", "T": "/0g8g /4g44",
    "U": "~0g090484898g", "V": "/0g448g", "W": "/0g346g94cg", "X": "/048g /0g84", "Y": "/0g4a8g /4a44",
    "Z": "/0g8g0484",
    "a": "o04747c0c /7c74", "b": "/0g04 o04747c0c", "c": "~7a6c0c046476", "d": "/7g74 o04747c0c",
    "e": "/0878 ~787c0c046476", "f": "~5g2g2c24 /0c5c", "g": "o04747c0c ~7c75700002",
    "h": "/0g04 ~080c7c7874", "i": "/0c04 .0g", "j": "~3c343000 .3g", "k": "/0g04 /6c07 /2964", "l": "~0g060424",
    "m": "/0c04 ~080c5c5854 ~585caca8a4", "n": "/0c04 ~080c7c7874", "o": "o04747c0c", "p": "/0c00 o04747c0c",
    "q": "/7c70 o04747c0c", "r": "/0c04 ~080c5c", "s": "~6b5c0c0868641405", "t": "~2g272454 /0c5c",
    "u": "~0c08047478 /7c74", "v": "/0c346c", "w": "/0c245c84ac", "x": "/046c /0c64", "y": "/0c34 /6c20",
    "z": "/0c6c0464",
    "α": "~8c6644040c4c6a84", "β": "~000c0h6h6b2b ~2b8b840406", "ε": "~6b5c0c0838 ~3808045465",
    "η": "/0c04 ~080c7c7470", "θ": "o04747g0g /0a7a", "λ": "~0g3g84 /044a", "μ": "/0c00 ~08047478 /7c74",
    "σ": "o04747c0c /4c9c", "τ": "/0c7c ~3c353464", "√": "/0a242gbg",
    ".": ".14", ",": "/2512", ":": ".14 .1b", ";": ".1b /2512", "!": "/1g18 .14", "?": "~0d0g7g7a3a37 .34",
    "-": "/0a5a", "–": "/0a8a", "−": "/0a8a", "—": "/0aca", "+": "/0a8a /464e", "±": "/0b8b /4f47 /0484",
    "=": "/0888 /0c8c", "_": "/0383", "/": "/026h", "\\": "/0h62", "|": "/121h", "(": "~3h0d0631",
    ")": "~0h3d3601", "[": "/3h0h0131", "]": "/0h3h3101", "{": "~4h2h2909 ~09292141", "}": "~0h2h2949 ~49292101",
    "<": "/7e0a76", ">": "/0e7a06", "*": "/3g3a /0f6b /0b6f", "^": "/0c3g6c", "~": "~092d678b",
    "#": "/143g /547g /0888 /0d8d", "%": "o0b4b4g0g o54949959 /148g", "&": "~941d2h7h6c0904639a",
    "@": "o37878d3d ~8d86c6ch0h0393", "'": "/1g1d", "\"": "/1g1d /4g4d", "`": "/0g2e", "·": ".1a",
    "×": "/167c /1c76", "→": "/0a9a /6d9a67", "°": "o0c4c4g0g", "…": ".14 .54 .94",
    "$": "~8c7e0e0a8a861608 /4h43",
]

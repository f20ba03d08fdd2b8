/// A colour of red, green and blue, 8 bits each.
public struct Colour: Hashable, Sendable, CustomStringConvertible {
    /// 0 is none of it, 255 all.
    public let red: UInt8
    /// 0 is none of it, 255 all.
    public let green: UInt8
    /// 0 is none of it, 255 all.
    public let blue: UInt8

    /// White.
    public static let white = Colour(red: 255, green: 255, blue: 255)

    /// A colour of three values.
    public init(red: UInt8, green: UInt8, blue: UInt8) {
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    /// A colour as CSS writes it: `#rrggbb`, `#rgb`, or one of ``names``, in small or large letters.
    public init?(css text: String) {
        let word = text.lowercased()
        let code = Self.basic.first { $0.name == word }?.code ?? word
        var digits = Array(code.dropFirst())
        if digits.count == 3 { digits = digits.flatMap { [$0, $0] } }
        guard code.first == "#", digits.count == 6,
            digits.allSatisfy({ $0.isASCII && $0.isHexDigit }), let value = UInt32(String(digits), radix: 16)
        else { return nil }
        self.init(red: UInt8(value >> 16), green: UInt8(value >> 8 & 255), blue: UInt8(value & 255))
    }

    /// The sixteen basic colour names of CSS, and the other spelling of grey.
    public static let names = basic.map(\.name)

    private static let basic: [(name: String, code: String)] = [
        ("black", "#000000"), ("silver", "#c0c0c0"), ("gray", "#808080"), ("grey", "#808080"),
        ("white", "#ffffff"), ("maroon", "#800000"), ("red", "#ff0000"), ("purple", "#800080"),
        ("fuchsia", "#ff00ff"), ("green", "#008000"), ("lime", "#00ff00"), ("olive", "#808000"),
        ("yellow", "#ffff00"), ("navy", "#000080"), ("blue", "#0000ff"), ("teal", "#008080"),
        ("aqua", "#00ffff"),
    ]

    /// `#rrggbb`
    public var description: String {
        "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

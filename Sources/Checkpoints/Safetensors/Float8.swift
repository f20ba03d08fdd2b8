/// Numbers of eight bits, each with its value.
/// Source: Micikevicius et al. 2022 (arXiv:2209.05433), table 1.
extension SafetensorsType {
    /// The value of each of the 256 codes; `nil` for other types, those of eight bits with other exponents and those
    /// without a sign included.
    var float8Values: [Float]? {
        switch self {
        case .float8E4M3: Float8.e4m3
        case .float8E5M2: Float8.e5m2
        default: nil
        }
    }
}

private enum Float8 {
    /// Four bits of exponent; no infinities, and one pattern for what is no number (E4M3FN).
    static let e4m3 = (0...UInt8.max).map { code in
        code & 0x7F == 0x7F ? Float.nan : value(code, exponentBits: 4)
    }

    /// Five bits of exponent, as in half precision.
    static let e5m2 = (0...UInt8.max).map { code in
        guard code & 0x7C == 0x7C else { return value(code, exponentBits: 5) }
        return code & 3 != 0 ? Float.nan : code & 0x80 == 0 ? .infinity : -.infinity
    }

    /// The value of a code as a sign, an exponent and a fraction, whose leading 1 only the least exponent lacks.
    private static func value(_ code: UInt8, exponentBits: Int) -> Float {
        let fractionBits = 7 - exponentBits
        let bias = 1 << (exponentBits - 1) - 1
        let exponent = Int(code & 0x7F) >> fractionBits
        let fraction = Float(Int(code) & (1 << fractionBits - 1)) / Float(1 << fractionBits)
        let magnitude =
            exponent == 0
            ? Float(sign: .plus, exponent: 1 - bias, significand: fraction)
            : Float(sign: .plus, exponent: exponent - bias, significand: 1 + fraction)
        return code & 0x80 == 0 ? magnitude : -magnitude
    }
}

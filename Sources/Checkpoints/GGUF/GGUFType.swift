import Tensors

/// An element type of the GGUF format: how numbers lie in blocks, and how they are expanded.
///
/// A block of a quantized type holds numbers of few bits and what they are multiplied with. The layouts are those of the
/// GGML library, whose types have these numbers and names. Numbers are computed in float32 in the order of the reference, so
/// that they are equal to the last bit.
struct GGUFType: Sendable {
    /// The name in GGML.
    let name: String
    /// What a tensor of it becomes.
    let elementType: ElementType
    /// How many numbers a block has; rows are whole blocks.
    let blockLength: Int
    /// The size of a block.
    let blockByteCount: Int
    /// Writes the numbers of one block; `nil` where the bytes are the numbers.
    let expand:
        (@Sendable (_ block: UnsafeRawBufferPointer, _ numbers: UnsafeMutableBufferPointer<Float>) -> Void)?

    /// The types that are read, by their numbers in the format.
    static let known: [UInt32: GGUFType] = [
        0: plain("F32", .float32), 1: plain("F16", .float16), 30: plain("BF16", .bfloat16),
        28: plain("F64", .float64), 24: plain("I8", .int8), 25: plain("I16", .int16),
        26: plain("I32", .int32),
        27: plain("I64", .int64),
        2: quantized("Q4_0", 32, 18, expandQ4_0), 3: quantized("Q4_1", 32, 20, expandQ4_1),
        6: quantized("Q5_0", 32, 22, expandQ5_0), 7: quantized("Q5_1", 32, 24, expandQ5_1),
        8: quantized("Q8_0", 32, 34, expandQ8_0),
        12: quantized("Q4_K", 256, 144, expandQ4_K), 13: quantized("Q5_K", 256, 176, expandQ5_K),
        14: quantized("Q6_K", 256, 210, expandQ6_K),
    ]

    /// Names of types that are not read, for messages.
    static let others: [UInt32: String] = [
        9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS",
        19: "IQ1_S",
        20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0",
        39: "MXFP4",
    ]

    private static func plain(_ name: String, _ type: ElementType) -> GGUFType {
        GGUFType(name: name, elementType: type, blockLength: 1, blockByteCount: type.byteCount, expand: nil)
    }

    private static func quantized(
        _ name: String, _ length: Int, _ byteCount: Int,
        _ expand: @escaping @Sendable (UnsafeRawBufferPointer, UnsafeMutableBufferPointer<Float>) -> Void
    ) -> GGUFType {
        GGUFType(
            name: name, elementType: .float32, blockLength: length, blockByteCount: byteCount, expand: expand)
    }
}

// MARK: Blocks of 32 numbers

/// x = d·q, q of eight bits with a sign.
private func expandQ8_0(_ block: UnsafeRawBufferPointer, _ x: UnsafeMutableBufferPointer<Float>) {
    let d = half(block, 0)
    for i in 0..<32 { x[i] = d * Float(Int8(bitPattern: block[2 + i])) }
}

/// x = d·(q − 8), q of four bits.
private func expandQ4_0(_ block: UnsafeRawBufferPointer, _ x: UnsafeMutableBufferPointer<Float>) {
    let d = half(block, 0)
    for i in 0..<16 {
        x[i] = d * Float(Int(block[2 + i] & 15) - 8)
        x[i + 16] = d * Float(Int(block[2 + i] >> 4) - 8)
    }
}

/// x = d·q + m, q of four bits.
private func expandQ4_1(_ block: UnsafeRawBufferPointer, _ x: UnsafeMutableBufferPointer<Float>) {
    let (d, m) = (half(block, 0), half(block, 2))
    for i in 0..<16 {
        x[i] = d * Float(block[4 + i] & 15) + m
        x[i + 16] = d * Float(block[4 + i] >> 4) + m
    }
}

/// x = d·(q − 16), q of five bits, whose highest are together in a word.
private func expandQ5_0(_ block: UnsafeRawBufferPointer, _ x: UnsafeMutableBufferPointer<Float>) {
    let d = half(block, 0)
    for (i, q) in fiveBits(block, words: 2) { x[i] = d * Float(q - 16) }
}

/// x = d·q + m, q of five bits.
private func expandQ5_1(_ block: UnsafeRawBufferPointer, _ x: UnsafeMutableBufferPointer<Float>) {
    let (d, m) = (half(block, 0), half(block, 2))
    for (i, q) in fiveBits(block, words: 4) { x[i] = d * Float(q) + m }
}

/// The 32 numbers of five bits whose highest bits begin at a byte of the block.
private func fiveBits(_ block: UnsafeRawBufferPointer, words start: Int) -> some Sequence<(Int, Int)> {
    let high = block.loadUnaligned(fromByteOffset: start, as: UInt32.self).littleEndian
    return (0..<32).lazy.map { i in
        let byte = block[start + 4 + i % 16]
        let low = i < 16 ? byte & 15 : byte >> 4
        return (i, Int(low) | Int(high >> UInt32(i) & 1) << 4)
    }
}

// MARK: Blocks of 256 numbers, which have scales of their own for each 32 or 16

/// x = (d·s)·q − (d_min·m): eight scales s and minima m of six bits, q of four.
private func expandQ4_K(_ block: UnsafeRawBufferPointer, _ x: UnsafeMutableBufferPointer<Float>) {
    for part in 0..<8 {
        let (scale, minimum) = sixBits(block, part)
        for i in 0..<32 {
            let byte = block[16 + part / 2 * 32 + i]
            let q = part % 2 == 0 ? byte & 15 : byte >> 4
            x[part * 32 + i] = scale * Float(q) - minimum
        }
    }
}

/// The same with q of five bits, whose highest are together.
private func expandQ5_K(_ block: UnsafeRawBufferPointer, _ x: UnsafeMutableBufferPointer<Float>) {
    for part in 0..<8 {
        let (scale, minimum) = sixBits(block, part)
        for i in 0..<32 {
            let byte = block[48 + part / 2 * 32 + i]
            let low = part % 2 == 0 ? byte & 15 : byte >> 4
            let high = block[16 + i] >> UInt8(part) & 1
            x[part * 32 + i] = scale * Float(low | high << 4) - minimum
        }
    }
}

/// d·s and d_min·m of 32 numbers. The first four scales and minima have their six bits in a byte each; of the others four
/// bits are in one byte, and two in the bytes of the first.
private func sixBits(_ block: UnsafeRawBufferPointer, _ part: Int) -> (scale: Float, minimum: Float) {
    func packed(_ i: Int) -> UInt8 { block[4 + i] }
    let (s, m) =
        part < 4
        ? (packed(part) & 63, packed(part + 4) & 63)
        : (
            packed(part + 4) & 15 | (packed(part - 4) >> 6) << 4,
            packed(part + 4) >> 4 | (packed(part) >> 6) << 4
        )
    return (half(block, 0) * Float(s), half(block, 2) * Float(m))
}

/// x = (d·s)·(q − 32): sixteen scales s of eight bits, q of six, of which four and two are apart.
private func expandQ6_K(_ block: UnsafeRawBufferPointer, _ x: UnsafeMutableBufferPointer<Float>) {
    let d = half(block, 208)
    for i in 0..<256 {
        let (side, quarter, place) = (i / 128, i % 128 / 32, i % 32)
        let byte = block[side * 64 + quarter % 2 * 32 + place]
        let low = quarter < 2 ? byte & 15 : byte >> 4
        let high = block[128 + side * 32 + place] >> UInt8(2 * quarter) & 3
        let scale = d * Float(Int8(bitPattern: block[192 + i / 16]))
        x[i] = scale * Float(Int(low | high << 4) - 32)
    }
}

/// The number in half precision at a byte of a block.
private func half(_ block: UnsafeRawBufferPointer, _ offset: Int) -> Float {
    Float(Float16(bitPattern: block.loadUnaligned(fromByteOffset: offset, as: UInt16.self).littleEndian))
}

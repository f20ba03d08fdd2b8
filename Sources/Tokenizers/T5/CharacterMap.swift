/// The character map of a SentencePiece model (`precompiled_charsmap`): what characters, and short rows of
/// them, are written as before anything else is done. It follows the reader of Hugging Face's tokenizers,
/// which differs from SentencePiece's own: it takes the shortest row that fits, one cluster at a time.
struct CharacterMap: Sendable {
    /// A double array (Aoe 1989) as the Darts library lays it out, and the texts that its leaves point at,
    /// each ended by a zero byte.
    private let units: [UInt32]
    private let texts: [UInt8]

    /// Reads a map: the size of the array in bytes, the array, the texts.
    /// - Throws: `TokenizerError` where the sizes do not fit.
    init(_ bytes: some RandomAccessCollection<UInt8>, place: String) throws {
        let bytes = Array(bytes)
        func number(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[index * 4 + $1]) << (8 * $1) }
        }
        guard bytes.count >= 4, case let size = Int(number(0)), size % 4 == 0, size > 0,
            size + 4 <= bytes.count
        else {
            throw TokenizerError(
                place, "its map of characters (\"precompiled_charsmap\") is cut off; fetch it again")
        }
        units = (1...size / 4).map(number)
        texts = Array(bytes[(size + 4)...])
    }

    /// The text with every character in its place replaced.
    func callAsFunction(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for cluster in text {
            let bytes = Array(cluster.utf8)
            // Longer clusters are never found whole.
            if bytes.count < 6, let replacement = replacement(of: bytes[...]) {
                result += replacement
                continue
            }
            var start = 0
            while start < bytes.count {
                let end = start + UTF8.width(bytes.scalar(at: start))
                let character = bytes[start..<end]
                result += replacement(of: character) ?? character
                start = end
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// What the shortest beginning of some bytes that the map knows is written as, nil where it knows none.
    private func replacement(of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var node = offset(units[0])
        for byte in bytes {
            guard byte != 0 else { return nil }
            node ^= Int(byte)
            guard node < units.count, units[node] & 0x8000_00FF == UInt32(byte) else { return nil }
            let hasLeaf = units[node] >> 8 & 1 == 1
            node ^= offset(units[node])
            guard node < units.count else { return nil }
            if hasLeaf {
                let start = Int(units[node] & 0x7FFF_FFFF)
                guard start <= texts.count else { return nil }
                let end = texts[start...].firstIndex(of: 0) ?? texts.count
                return texts[start..<end]
            }
        }
        return nil
    }

    private func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & (1 << 9)) >> 6)) }
}

/// The printable characters that stand for the 256 bytes in vocabularies of byte pairs (those of GPT-2):
/// printable bytes of Latin-1 stand for themselves, the others for U+0100 and what follows.
enum ByteAlphabet {
    /// The character of each byte.
    static let characters: [Unicode.Scalar] = {
        var others = (UInt32(256)...).makeIterator()
        return (UInt32(0)..<256).map { byte in
            let isPrintable =
                (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
            return Unicode.Scalar(isPrintable ? byte : others.next()!)!
        }
    }()

    /// The byte that a character stands for.
    static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
        uniqueKeysWithValues: characters.enumerated().map { ($1, UInt8($0)) })
}

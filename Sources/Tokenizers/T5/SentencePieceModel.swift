import Foundation

/// What a SentencePiece model file holds (`spiece.model`, a `ModelProto` in the form of Protocol Buffers).
struct SentencePieceModel {
    /// The kinds of pieces that this room tells apart.
    enum Kind: UInt64 {
        case control = 3
        case userDefined = 4
    }

    /// The pieces at their ids.
    private(set) var pieces: [(text: String, score: Double)] = []
    /// Pieces that are looked for in the text itself.
    private(set) var symbols: [String] = []
    /// The map of characters; empty where the model has none.
    private(set) var characterMap: ArraySlice<UInt8> = []
    /// The id of the piece that stands for what is unknown.
    private(set) var unknown = 0

    /// Reads a file's bytes.
    /// - Throws: `TokenizerError` where they are no unigram model.
    init(_ bytes: [UInt8], place: String) throws {
        var message = ProtocolMessage(bytes[...], place: place)
        while let (field, value) = try message.next() {
            switch (field, value) {
            case (1, .bytes(let piece)): try readPiece(ProtocolMessage(piece, place: place))
            case (2, .bytes(let trainer)): try readTrainer(ProtocolMessage(trainer, place: place), place)
            case (3, .bytes(let normalizer)): try readNormalizer(ProtocolMessage(normalizer, place: place))
            default: break
            }
        }
        guard !pieces.isEmpty else {
            throw TokenizerError(place, "it holds no pieces; give a SentencePiece model")
        }
    }

    private mutating func readPiece(_ message: ProtocolMessage) throws {
        var message = message
        var (text, score, kind) = ("", Float(0), nil as Kind?)
        while let (field, value) = try message.next() {
            switch (field, value) {
            case (1, .bytes(let bytes)): text = try message.string(bytes)
            case (2, .fixed32(let bits)): score = Float(bitPattern: bits)
            case (3, .number(let number)): kind = Kind(rawValue: number)
            default: break
            }
        }
        pieces.append((text, Double(score)))
        if kind != nil { symbols.append(text) }
    }

    private mutating func readTrainer(_ message: ProtocolMessage, _ place: String) throws {
        var message = message
        while let (field, value) = try message.next() {
            switch (field, value) {
            case (3, .number(let type)) where type != 1:
                throw TokenizerError(
                    place, "it is no unigram model (its type is \(type)); T5's tokenizer needs one")
            case (35, .number(let fallsBack)) where fallsBack != 0:
                throw TokenizerError(
                    place, "it writes unknown characters as bytes, which T5's tokenizer does not")
            case (40, .number(let id)): unknown = Int(truncatingIfNeeded: id)
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ message: ProtocolMessage) throws {
        var message = message
        while let (field, value) = try message.next() {
            if case (2, .bytes(let map)) = (field, value) { characterMap = map }
        }
    }
}

/// The fields of a message in the wire form of Protocol Buffers, one after the other.
struct ProtocolMessage {
    /// A field's value, by the form in which it is written.
    enum Value {
        case number(UInt64)
        case fixed64
        case bytes(ArraySlice<UInt8>)
        case fixed32(UInt32)
    }

    private var rest: ArraySlice<UInt8>
    private let place: String

    init(_ bytes: ArraySlice<UInt8>, place: String) {
        rest = bytes
        self.place = place
    }

    /// The next field's number and value, nil at the end.
    mutating func next() throws -> (field: UInt64, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let tag = try number()
        let value: Value
        switch tag & 7 {
        case 0: value = .number(try number())
        case 1:
            _ = try take(8)
            value = .fixed64
        case 2: value = .bytes(try take(try number()))
        case 5: value = .fixed32(try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
        default: throw damaged()
        }
        return (tag >> 3, value)
    }

    /// Bytes as text.
    func string(_ bytes: ArraySlice<UInt8>) throws -> String {
        guard let text = String(bytes: bytes, encoding: .utf8) else { throw damaged() }
        return text
    }

    private mutating func number() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw damaged() }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        throw damaged()
    }

    private mutating func take(_ count: UInt64) throws -> ArraySlice<UInt8> {
        guard count <= UInt64(rest.count) else { throw damaged() }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }

    private func damaged() -> TokenizerError {
        TokenizerError(place, "it is no SentencePiece model, or damaged; fetch it again")
    }
}

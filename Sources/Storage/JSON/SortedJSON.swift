import Foundation

/// A value as JSON with its keys in alphabetic order, so that equal values give equal text: on one line, or indented for
/// people.
/// - Throws: what the value throws, or `EncodingError` where a number is not finite.
package func sortedJSON(_ value: some Encodable, isIndented: Bool = false) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if isIndented { encoder.outputFormatting.insert(.prettyPrinted) }
    return try encoder.encode(value)
}

import Foundation

/// The tokens of words that came before. Prompts say the same words again and again.
final class WordCache: @unchecked Sendable {
    private static let maximalCount = 1 << 14
    private static let maximalLength = 64

    private let lock = NSLock()
    private var values: [[UInt8]: [Int32]] = [:]

    /// The tokens of a word, computed where they are not known.
    func value(of word: [UInt8], _ compute: () -> [Int32]) -> [Int32] {
        guard word.count <= Self.maximalLength else { return compute() }
        if let known = lock.withLock({ values[word] }) { return known }
        let value = compute()
        lock.withLock {
            if values.count >= Self.maximalCount { values.removeAll(keepingCapacity: true) }
            values[word] = value
        }
        return value
    }
}

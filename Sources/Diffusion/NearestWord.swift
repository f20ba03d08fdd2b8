/// The word that needs the fewest changes to become another, the first of those that need as few; `nil` where
/// there are none.
package func nearest(to word: String, among words: some Sequence<String>) -> String? {
    words.map { ($0, editDistance(word, $0)) }.min { $0.1 < $1.1 }?.0
}

/// The word in `candidates` that is nearest to `word`, if any is near enough to be what was meant: at most two
/// fifths of the word's length away.
package func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
    let limit = max(2, word.unicodeScalars.count * 2 / 5)
    let best = nearest(to: word, among: candidates)
    return best.flatMap { editDistance(word, $0) <= limit ? $0 : nil }
}

/// How many insertions, deletions and replacements of one character turn `a` into `b` (Levenshtein). Of very long
/// words, which are no slips of a hand, the beginning counts.
package func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a.unicodeScalars.prefix(256))
    let b = Array(b.unicodeScalars.prefix(256))
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[b.count]
}

/// The word that needs the fewest changes to become another, the first of those that need as few; `nil` where
/// there are none.
package func nearest(to word: String, among words: some Sequence<String>) -> String? {
    words.map { ($0, editDistance(word, $0)) }.min { $0.1 < $1.1 }?.0
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

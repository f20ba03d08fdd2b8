/// Lines of cells in columns for a person.
enum AlignedText {
    /// Columns as wide as their widest cell, two spaces apart.
    /// - Parameters:
    ///   - right: the columns whose cells stand to the right, as numbers do.
    ///   - leastWidth: the least width of a column.
    static func table(_ rows: [[String]], right: Set<Int> = [], leastWidth: Int = 0) -> [String] {
        guard let columns = rows.first?.indices else { return [] }
        let widths = columns.map { column in max(leastWidth, rows.map { $0[column].count }.max() ?? 0) }
        return rows.map { cells in
            let padded = cells.enumerated().map { column, cell in
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                return right.contains(column) ? gap + cell : cell + gap
            }
            return String(padded.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
    }

    /// Labels with their values, rounded to four decimals.
    static func figures(_ rows: [(String, Double)]) -> [String] {
        table(rows.map { label, value in [label, "\((value * 10_000).rounded() / 10_000)"] })
    }
}

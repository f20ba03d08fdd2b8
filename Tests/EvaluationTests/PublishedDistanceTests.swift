import Evaluation
import Testing

/// The figures of papers: whole tables, in the order that the texts give them.
@Suite struct PublishedDistanceTests {
    @Test func tablesAreWhole() {
        for table in PublishedDistances.all.tables {
            for row in table.rows {
                #expect(row.distances.count == table.data.count * max(1, table.columns.count), "\(row.name)")
            }
        }
    }

    /// What the tables show about solvers: noise costs where steps are few; with all steps σ̂ is best.
    @Test func moreNoiseNeedsMoreSteps() {
        let rows = PublishedDistances.all.tables[0].rows
        for place in [0, 1, 2, 5, 6, 7] {
            let column = rows.map { $0.distances[place] }
            #expect(column == column.sorted(), "column \(place)")
        }
        for last in [4, 9] { #expect(rows.map { $0.distances[last] }.min() == rows[4].distances[last]) }
    }

    @Test func theTextHasEveryFigureOnce() {
        let all = PublishedDistances.all
        let words = all.text.split(whereSeparator: \.isWhitespace)
        for distance in all.tables.flatMap(\.rows).flatMap(\.distances) {
            #expect(words.count { $0 == "\(distance)" } == 1, "\(distance)")
        }
        #expect(all.text.contains(all.note))
    }
}

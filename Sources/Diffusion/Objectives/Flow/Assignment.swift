import Tensors

/// The assignment of rows to columns, each column at most once, of least total cost: exact.
///
/// Shortest augmenting paths over reduced costs, one path a row, O(rows²·columns).
/// Source: Kuhn 1955 and Munkres 1957 for the problem; Jonker and Volgenant 1987, Crouse 2016 (IEEE
/// Transactions on Aerospace and Electronic Systems 52) for the method.
public struct Assignment: Sendable, Equatable {
    /// The column of each row.
    public let columns: [Int]
    /// The total cost.
    public let cost: Double

    /// Costs `[rows, columns]`, row by row.
    public struct Costs: Sendable, Equatable {
        /// The number of rows.
        public let rows: Int
        /// The number of columns.
        public let columns: Int
        let values: [Double]

        /// A table of finite costs.
        /// - Precondition: there are as many values as places, and no fewer columns than rows.
        public init(_ values: [Double], rows: Int, columns: Int) {
            precondition(
                values.count == rows * columns && rows <= columns,
                "\(values.count) costs for \(rows) rows and \(columns) columns")
            self.rows = rows
            self.columns = columns
            self.values = values
        }
    }

    /// Solves the problem.
    public init(_ costs: Costs) {
        var search = Search(costs)
        for row in 0..<costs.rows { search.assign(row) }
        columns = search.columnOfRow
        cost = search.columnOfRow.enumerated().reduce(0) {
            $0 + costs.values[$1.offset * costs.columns + $1.element]
        }
    }

    /// ‖a_i − b_j‖² between the examples of two batches, each flattened, in float64.
    /// - Throws: the error that a tensor carries.
    public static func squaredDistances(from a: Tensor, to b: Tensor) throws -> Costs {
        let (rows, columns) = (a.flattened(from: 1).to(.float64), b.flattened(from: 1).to(.float64))
        let squares = rows.squared().sum([1]).unsqueezed(1) + columns.squared().sum([1])
        let distances = squares.adding(rows.matmul(columns.transposed()), scale: -2)
        return Costs(try distances.array(), rows: rows.shape[0], columns: columns.shape[0])
    }
}

/// Dual prices and the assignment so far; every step keeps cost − price(row) − price(column) ≥ 0, and 0
/// where a row has its column.
private struct Search {
    let costs: Assignment.Costs
    var rowPrices: [Double]
    var columnPrices: [Double]
    var columnOfRow: [Int]
    var rowOfColumn: [Int]

    init(_ costs: Assignment.Costs) {
        self.costs = costs
        rowPrices = Array(repeating: 0, count: costs.rows)
        columnPrices = Array(repeating: 0, count: costs.columns)
        columnOfRow = Array(repeating: -1, count: costs.rows)
        rowOfColumn = Array(repeating: -1, count: costs.columns)
    }

    /// Gives a row its column along the shortest path that ends in a free one (Dijkstra's search).
    mutating func assign(_ start: Int) {
        var distances = Array(repeating: Double.infinity, count: costs.columns)
        var previous = Array(repeating: -1, count: costs.columns)
        var isDone = Array(repeating: false, count: costs.columns)
        var (row, reached, end) = (start, 0.0, -1)
        while end < 0 {
            var next = -1
            for column in 0..<costs.columns where !isDone[column] {
                let reduced =
                    costs.values[row * costs.columns + column] - rowPrices[row] - columnPrices[column]
                if reached + reduced < distances[column] {
                    distances[column] = reached + reduced
                    previous[column] = row
                }
                let isNearer = next < 0 || distances[column] < distances[next]
                // Among equals a free column, which ends the search.
                let isFreeTie =
                    next >= 0 && distances[column] == distances[next] && rowOfColumn[column] < 0
                if isNearer || isFreeTie { next = column }
            }
            reached = distances[next]
            isDone[next] = true
            if rowOfColumn[next] < 0 { end = next } else { row = rowOfColumn[next] }
        }
        reprice(start, distances, isDone, reached)
        augment(start, previous, end)
    }

    private mutating func reprice(
        _ start: Int, _ distances: [Double], _ isDone: [Bool], _ reached: Double
    ) {
        rowPrices[start] += reached
        for column in 0..<costs.columns where isDone[column] {
            let change = reached - distances[column]
            columnPrices[column] -= change
            if rowOfColumn[column] >= 0 { rowPrices[rowOfColumn[column]] += change }
        }
    }

    private mutating func augment(_ start: Int, _ previous: [Int], _ end: Int) {
        var column = end
        while true {
            let row = previous[column]
            rowOfColumn[column] = row
            (columnOfRow[row], column) = (column, columnOfRow[row])
            if row == start { return }
        }
    }
}

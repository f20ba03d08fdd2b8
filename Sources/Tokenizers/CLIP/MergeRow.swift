/// The symbols of a word as a linked row, and a heap of the pairs that can be joined: the earliest merge
/// first, and of equal ones the leftmost. It makes long words take n log n steps.
struct MergeRow {
    /// The index of the symbol after each.
    private(set) var next: [Int]
    private var previous: [Int]
    /// Rank in the upper half, index of the left symbol in the lower one.
    private var heap: [UInt64] = []

    /// A row of so many symbols.
    init(_ count: Int) {
        next = Array(1...max(count, 1))
        previous = Array(-1..<count - 1)
    }

    /// The index of the symbol before one, nil at the start.
    func before(_ index: Int) -> Int? { previous[index] >= 0 ? previous[index] : nil }

    /// Takes a symbol out of the row.
    mutating func remove(_ index: Int) {
        next[previous[index]] = next[index]
        if next[index] < previous.count { previous[next[index]] = previous[index] }
    }

    /// Notes that a symbol can be joined with the next one.
    mutating func push(rank: Int32, _ index: Int) {
        heap.append(UInt64(UInt32(rank)) << 32 | UInt64(UInt32(index)))
        var child = heap.count - 1
        while child > 0, case let parent = (child - 1) / 2, heap[child] < heap[parent] {
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the first pair that was noted, nil where none is left.
    mutating func pop() -> (rank: Int32, index: Int)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (Int32(first >> 32), Int(UInt32(truncatingIfNeeded: first)))
    }

    private mutating func sink() {
        var parent = 0
        while case let left = 2 * parent + 1, left < heap.count {
            let right = left + 1
            let child = right < heap.count && heap[right] < heap[left] ? right : left
            guard heap[child] < heap[parent] else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}

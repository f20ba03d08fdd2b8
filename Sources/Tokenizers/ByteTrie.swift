/// Strings of bytes with a number each, found by walking along a text byte by byte.
struct ByteTrie: Sendable {
    /// From a node and a byte (the lowest eight bits) to the next node. Node 0 is the empty string.
    private var children: [UInt64: Int32] = [:]
    /// The number of the string that ends at each node.
    private var values: [Int32?] = [nil]

    /// Makes a trie with room for so many nodes.
    init(capacity: Int = 0) {
        children.reserveCapacity(capacity)
        values.reserveCapacity(capacity)
    }

    /// Whether there is no string.
    var isEmpty: Bool { values.count == 1 }

    /// Adds a string, or gives the one that is there another number.
    mutating func insert(_ bytes: some Sequence<UInt8>, _ value: Int) {
        var node: Int32 = 0
        for byte in bytes {
            let key = Self.key(node, byte)
            if let next = children[key] {
                node = next
            } else {
                node = Int32(values.count)
                children[key] = node
                values.append(nil)
            }
        }
        values[Int(node)] = Int32(value)
    }

    /// Calls `body` with the end and the number of every string that stands at a place of a text, the
    /// shortest first.
    func forEachMatch(in text: ArraySlice<UInt8>, at start: Int, _ body: (_ end: Int, _ value: Int) -> Void) {
        var node: Int32 = 0
        for index in start..<text.endIndex {
            guard let next = children[Self.key(node, text[index])] else { return }
            node = next
            if let value = values[Int(node)] { body(index + 1, Int(value)) }
        }
    }

    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 { UInt64(node) << 8 | UInt64(byte) }
}

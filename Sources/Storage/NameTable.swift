/// Values under names, in the order they were added, found by name in constant time.
///
/// Two names are the same only when their UTF-8 bytes are. Swift's own `String` equality also merges
/// names that differ in Unicode normalisation, which would let one tensor of a file hide another.
public struct NameTable<Value> {
    /// The names, in order.
    public private(set) var names: [String] = []
    /// The values, in the order of `names`.
    public private(set) var values: [Value] = []

    /// Open addressing. The count is a power of two, at most half of them used.
    private var slots: [Slot] = []

    private struct Slot {
        /// The position in `names`, -1 where the slot is free.
        var position: Int32 = -1
        /// Kept, so that growing needs no names and most other names are told apart without looking.
        var hash: UInt32 = 0
    }

    /// Makes an empty table.
    public init() {}

    /// Makes a table of many names at once, in much less time than one by one.
    /// - Throws: the first name that stands there twice.
    package init(names: [String], values: [Value]) throws(RepeatedName) {
        precondition(names.count == values.count && names.count < Int(Int32.max))
        self.names = names
        self.values = values
        var count = 8
        while count < names.count * 2 { count *= 2 }
        slots = [Slot](repeating: Slot(), count: count)
        // Slots of a large table are far away. Hashed beforehand, names leave a loop so short that the
        // processor fetches several slots at once.
        for (position, hash) in names.map(hash).enumerated() {
            let free = slot(for: names[position], hash)
            guard slots[free].position < 0 else { throw RepeatedName(name: names[position]) }
            slots[free] = Slot(position: Int32(position), hash: hash)
        }
    }

    /// The number of names.
    public var count: Int { names.count }
    /// Whether there is no name.
    public var isEmpty: Bool { names.isEmpty }

    /// The value under `name`, nil when there is none.
    public subscript(name: String) -> Value? {
        guard let position = position(of: name) else { return nil }
        return values[position]
    }

    /// Where `name` stands in `names`, nil when it does not.
    public func position(of name: String) -> Int? {
        guard !slots.isEmpty else { return nil }
        let found = slots[slot(for: name, hash(name))].position
        return found < 0 ? nil : Int(found)
    }

    /// Adds a value, unless there is one under the same name (or 2³¹ names already).
    /// - Returns: whether it was added.
    @discardableResult
    public mutating func append(_ name: String, _ value: Value) -> Bool {
        guard count < Int(Int32.max) else { return false }
        if count * 2 >= slots.count { grow() }
        let hash = hash(name)
        let free = slot(for: name, hash)
        guard slots[free].position < 0 else { return false }
        slots[free] = Slot(position: Int32(count), hash: hash)
        names.append(name)
        values.append(value)
        return true
    }

    /// Puts a value under a name, in the place of the one that was there.
    public mutating func set(_ name: String, _ value: Value) {
        if let position = position(of: name) {
            values[position] = value
        } else {
            append(name, value)
        }
    }

    /// The slot that holds `name`, or the free one where it belongs. There is always a free slot.
    private func slot(for name: String, _ hash: UInt32) -> Int {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot].position >= 0 {
            if slots[slot].hash == hash, sameBytes(names[Int(slots[slot].position)], name) { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Slot(), count: Swift.max(8, old.count * 2))
        for entry in old where entry.position >= 0 {
            var slot = Int(entry.hash) & (slots.count - 1)
            while slots[slot].position >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = entry
        }
    }
}

/// A name that stands twice where it may stand once.
package struct RepeatedName: Error {
    package let name: String
}

extension NameTable: Sendable where Value: Sendable {}

extension NameTable: Sequence {
    /// The names with their values, in order.
    public func makeIterator() -> Zip2Sequence<[String], [Value]>.Iterator {
        zip(names, values).makeIterator()
    }
}

extension NameTable: Equatable where Value: Equatable {
    /// The same names with the same values, in any order.
    public static func == (left: Self, right: Self) -> Bool {
        left.count == right.count && left.allSatisfy { name, value in right[name] == value }
    }
}

/// Seeded anew in every process, so that a file cannot be made to collide.
private func hash(_ name: String) -> UInt32 {
    var hasher = Hasher()
    var name = name
    name.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    return UInt32(truncatingIfNeeded: hasher.finalize())
}

/// Whether two strings have the same UTF-8 bytes.
package func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
}

/// Whether `left` comes first by UTF-8 bytes, which is also the order of Unicode scalars.
package func byteOrder(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
}

/// An order that is shuffled within a window: numbers come one after the other into a buffer, of which each draw takes one
/// at random and puts the next number in its place.
///
/// It holds numbers, not what they stand for, so that the state after any number of draws is found again by drawing as often.
struct ShuffleBuffer {
    /// The numbers in the buffer.
    private(set) var slots: [Int]
    /// The number that comes in next.
    private(set) var next: Int
    private let count: Int
    private var generator: SplitMix64

    /// A buffer that is filled with the first of the numbers below `count`.
    /// - Parameter capacity: how many it holds, at least 1.
    init(of count: Int, capacity: Int, _ generator: SplitMix64) {
        (self.count, self.generator) = (count, generator)
        next = min(count, capacity)
        slots = Array(0..<next)
    }

    /// Takes a number; nil when all were taken.
    mutating func draw() -> Int? {
        guard !slots.isEmpty else { return nil }
        let place = generator.number(below: slots.count)
        let drawn = slots[place]
        if next < count {
            slots[place] = next
            next += 1
        } else {
            slots[place] = slots[slots.count - 1]
            slots.removeLast()
        }
        return drawn
    }
}

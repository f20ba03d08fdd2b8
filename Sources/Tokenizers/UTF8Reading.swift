// Texts are read as their bytes. They come from strings, so they are valid UTF-8.

extension Collection<UInt8> where Index == Int {
    /// The scalar whose bytes begin at an index.
    @inline(__always)
    func scalar(at index: Int) -> Unicode.Scalar {
        let first = self[index]
        if first < 0x80 { return Unicode.Scalar(first) }
        let count = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        var value = UInt32(first) & (0xFF >> UInt32(count + 1))
        for next in index + 1..<index + count { value = value << 6 | UInt32(self[next] & 0x3F) }
        return Unicode.Scalar(value)!
    }
}

extension [UInt8] {
    /// The scalar whose bytes end before an index, nil at the start.
    func scalar(before index: Int) -> Unicode.Scalar? {
        guard index > 0 else { return nil }
        var start = index - 1
        while self[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(at: start)
    }
}

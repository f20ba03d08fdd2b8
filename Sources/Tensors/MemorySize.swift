/// A number of bytes as a person reads it: 68.7 GB.
package struct MemorySize: Sendable, CustomStringConvertible {
    /// The number of bytes; a floating-point number, since a request may be of any size.
    package var bytes: Double

    /// A size.
    package init(_ bytes: Double) { self.bytes = bytes }

    /// Three digits or so, in powers of 1000.
    package var description: String {
        let units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"]
        var (value, unit) = (bytes, 0)
        while value >= 999.95, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(value.rounded()) bytes" : "\((value * 10).rounded() / 10) \(units[unit])"
    }
}

extension MemorySize {
    /// The size of the request that an allocator of libtorch refused, from its message: `tried to allocate 16777216 bytes` on the
    /// processor, `Tried to allocate 2.00 GiB` on a device.
    init?(allocatorMessage text: String) {
        let words = text.split(separator: " ")
        guard
            let place = words.indices.dropLast(2).first(where: {
                words[$0] == "allocate" && Double(words[$0 + 1]) != nil
            }), let value = Double(words[place + 1])
        else { return nil }
        let units = ["bytes": 1.0, "KiB": 0x1p10, "MiB": 0x1p20, "GiB": 0x1p30]
        let unit = words[place + 2].prefix { $0 != "." && $0 != "," }
        guard let factor = units[String(unit)] else { return nil }
        self.init(value * factor)
    }
}

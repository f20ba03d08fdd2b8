import Layers

extension ParameterStore {
    /// The number of values in the parameters of every part of the network, by dotted path.
    ///
    /// `down_blocks.0.resnets.1.conv1.weight` counts for itself and for each of the parts that it is
    /// in: `down_blocks`, `down_blocks.0`, and so on. The empty path is the whole network.
    public var parameterCounts: [String: Int] {
        var counts: [String: Int] = [:]
        for (name, parameter) in named where !buffers.contains(name) {
            let count = parameter.shape.elementCount
            counts["", default: 0] += count
            var path = ""
            for part in name.split(separator: ".") {
                path += path.isEmpty ? String(part) : "." + part
                counts[path, default: 0] += count
            }
        }
        return counts
    }

    /// The parts of the network at one level of its tree, in the order in which it asks for them, each with
    /// the number of values under its name.
    /// - Parameter depth: how many words of a dotted name make a part.
    public func parts(depth: Int) -> [(name: String, count: Int)] {
        var parts: [(name: String, count: Int)] = []
        for (name, parameter) in named where !buffers.contains(name) {
            let part = name.split(separator: ".").prefix(depth).joined(separator: ".")
            if parts.last?.name != part { parts.append((part, 0)) }
            parts[parts.count - 1].count += parameter.shape.elementCount
        }
        return parts
    }
}

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

    /// The modules of the network at one level of its tree, in the order in which it first asks for one of
    /// their parameters, each with the number of values in them.
    /// - Parameters:
    ///   - depth: how many words of a module's dotted name are distinguished. The last word of a parameter's
    ///     name is its own and no module's, unless it stands alone.
    ///   - renamed: the name that a parameter goes under; its own where `nil`.
    public func parts(
        depth: Int, renamed: (String) -> String? = { _ in nil }
    ) -> [(name: String, count: Int)] {
        var counts: [String: Int] = [:]
        var order: [String] = []
        for (name, parameter) in named where !buffers.contains(name) {
            let words = (renamed(name) ?? name).split(separator: ".")
            let part = words.prefix(min(depth, max(words.count - 1, 1))).joined(separator: ".")
            if counts[part] == nil { order.append(part) }
            counts[part, default: 0] += parameter.shape.elementCount
        }
        return order.map { ($0, counts[$0]!) }
    }
}

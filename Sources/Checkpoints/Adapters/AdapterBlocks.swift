import Storage

/// How much of an adapter is wanted in each block of a model.
///
/// Blocks are called as in the extensions of AUTOMATIC1111's web interface: `IN04`, `M00`, `OUT11` for the blocks of a U-Net as
/// its original code numbers them, `B00`, `B01`, … for those of a transformer, and `BASE` for all else, text encoders included.
public struct AdapterBlocks: Sendable, Equatable {
    /// As it was written.
    public let text: String
    private let numbers: [Double]
    private let named: [Named]

    private struct Named: Equatable {
        let name: String
        let weight: Double
    }

    /// Reads `1,0.5,…`, a number for `BASE` and each block (those with attention, or all), or `in=1,mid=0.5,out=0,base=1,in04=0.2`,
    /// where what is not named is 1 and what is named alone counts before its kind.
    /// - Throws: `CheckpointError` where it is neither.
    public init(_ text: String) throws {
        self.text = text
        let words = text.split(separator: ",", omittingEmptySubsequences: false).map {
            $0.filter { $0 != " " }
        }
        let pairs = words.map { $0.split(separator: "=", omittingEmptySubsequences: false).map(String.init) }
        let values = pairs.map { Double($0.last ?? "") }
        let isNamed = pairs.allSatisfy { $0.count == 2 && !$0[0].isEmpty }
        guard isNamed || pairs.allSatisfy({ $0.count == 1 }), values.allSatisfy({ $0?.isFinite == true })
        else {
            throw CheckpointError(
                quoted(text),
                "weights by block are numbers (1,0.5,…) or names with numbers (in=1,mid=0.5,out=0)")
        }
        numbers = isNamed ? [] : values.compactMap(\.self)
        named = isNamed ? zip(pairs, values).map { Named(name: $0[0].uppercased(), weight: $1 ?? 1) } : []
    }

    /// The weight of each block.
    /// - Parameter blocks: those of a model in their order, without `BASE`, and whether each has attention.
    /// - Throws: `CheckpointError` where there are other blocks.
    func weights(of blocks: [(name: String, attends: Bool)]) throws -> [String: Double] {
        let all = ["BASE"] + blocks.map(\.name)
        guard numbers.isEmpty else {
            let attending = ["BASE"] + blocks.filter(\.attends).map(\.name)
            guard let names = [attending, all].first(where: { $0.count == numbers.count }) else {
                throw CheckpointError(
                    quoted(text),
                    "these are \(numbers.count) weights, and the model takes \(attending.count) (\(attending.joined(separator: ","))) or \(all.count) with the blocks without attention"
                )
            }
            // Blocks without a number of their own have none of the adapter, as there.
            return Dictionary(uniqueKeysWithValues: all.map { ($0, 0) }).merging(zip(names, numbers)) { $1 }
        }
        var weights = Dictionary(uniqueKeysWithValues: all.map { ($0, 1.0) })
        // Kinds first, then single blocks.
        for isKind in [true, false] {
            for (name, weight) in named.map({ ($0.name, $0.weight) })
            where Self.kinds.keys.contains(name) == isKind {
                let members =
                    Self.kinds[name].map { start in blocks.map(\.name).filter { $0.hasPrefix(start) } }
                    ?? all.filter { $0 == name }
                guard !members.isEmpty else {
                    throw CheckpointError(
                        quoted(text),
                        "\(quoted(name.lowercased())) is no block of this model, which has \(all.joined(separator: ","))"
                    )
                }
                for member in members { weights[member] = weight }
            }
        }
        return weights
    }

    private static let kinds = ["IN": "IN", "MID": "M", "OUT": "OUT"]

    /// The block of a layer.
    /// - Parameters:
    ///   - native: its name in the network.
    ///   - original: its name in the original code of a U-Net.
    static func block(of native: String, original: String?) -> String {
        func numbered(_ name: String, _ start: String, _ label: String) -> String? {
            guard name.hasPrefix(start), let number = Int(name.dropFirst(start.count).prefix { $0 != "." })
            else {
                return nil
            }
            return label + (number < 10 ? "0" : "") + String(number)
        }
        guard let original else { return numbered(native, "transformer_blocks.", "B") ?? "BASE" }
        return numbered(original, "input_blocks.", "IN") ?? numbered(original, "output_blocks.", "OUT")
            ?? (original.hasPrefix("middle_block.") ? "M00" : "BASE")
    }
}

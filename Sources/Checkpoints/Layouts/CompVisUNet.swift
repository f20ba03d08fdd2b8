/// How the channels of attention are split into heads.
public enum HeadSplit: Hashable, Sendable {
    /// Into heads of as many channels.
    case width(Int)
    /// Into as many heads at every resolution.
    case count(Int)
}

/// The U-Net of OpenAI's code for diffusion and of the latent-diffusion code that took it over (`openaimodel.py`): blocks in one
/// row, numbered through.
///
/// The number of levels, the residual blocks of each and the places of attention follow from the names.
package struct CompVisUNet {
    /// How a level mixes pixels.
    package enum Attention { case none, transformer, heads }

    /// How levels halve and double: by convolutions, or by residual blocks.
    package enum Resampling { case convolution, residual }

    /// The order of queries, keys and values in the one tensor of a level with `qkv`.
    package enum HeadOrder {
        /// Those of a head together.
        case byHead(HeadSplit)
        /// All queries, then all keys, then all values.
        case byPart
    }

    /// Residual blocks of a level on the way down.
    let layersPerBlock: Int
    /// The attention of each level, from the highest resolution.
    let attentions: [Attention]
    /// The attention in the middle.
    let middle: Attention
    /// How levels halve and double.
    let resampling: Resampling
    /// Whether attention reads a text beside the pixels, `encoder_kv`.
    let readsText: Bool

    /// The structure of a U-Net whose names follow `prefix`, nil where they are none of a U-Net.
    package init?(_ names: some Sequence<String>, prefix: String) {
        let names = Set(names.lazy.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
        guard names.contains("input_blocks.0.0.weight") else { return nil }
        func attention(_ block: String) -> Attention {
            if names.contains("\(block).qkv.weight") { return .heads }
            return names.contains("\(block).proj_in.weight") ? .transformer : .none
        }
        let (levels, resampling) = Self.levels(names)
        guard let count = levels.first?.count, count > 0, levels.allSatisfy({ $0.count == count }) else {
            return nil
        }
        layersPerBlock = count
        attentions = levels.map { level in
            level.lazy.map { attention("input_blocks.\($0).1") }.first { $0 != .none } ?? .none
        }
        middle = attention("middle_block.1")
        self.resampling = resampling
        readsText = names.contains("middle_block.1.encoder_kv.weight")
    }

    /// The numbers of the residual blocks of each level on the way down.
    private static func levels(_ names: Set<String>) -> (levels: [[Int]], resampling: Resampling) {
        func isResidual(_ block: String) -> Bool { names.contains("\(block).in_layers.0.weight") }
        // Every level but the last ends with what halves: a convolution shows itself, a residual block is like the others.
        var levels: [[Int]] = [[]]
        var index = 1
        while true {
            if isResidual("input_blocks.\(index).0") {
                levels[levels.count - 1].append(index)
            } else if names.contains("input_blocks.\(index).0.op.weight") {
                levels.append([])
            } else {
                break
            }
            index += 1
        }
        // On the way up it stands behind the last block of a level, in the same place of the row. Where there is no way up,
        // it is the block without attention among those with.
        let doubling = (0..<index).first { block in
            [1, 2].contains { isResidual("output_blocks.\(block).\($0)") }
        }
        func attends(_ block: Int) -> Bool { names.contains("input_blocks.\(block).1.qkv.weight") }
        let attended = (1..<index).first(where: attends).map { first in
            (first..<index).prefix(while: attends).count
        }
        guard levels.count == 1, let layers = doubling ?? attended, index % (layers + 1) == 0 else {
            return (levels, .convolution)
        }
        let starts = stride(from: 1, to: index, by: layers + 1)
        return (starts.map { Array($0..<$0 + layers) }, .residual)
    }

    /// The structure of a U-Net under the names of diffusers, nil where they are none of one.
    package init?(natives: some Sequence<String>) {
        let names = Set(natives)
        func attention(_ block: String) -> Attention {
            if names.contains("\(block).attentions.0.group_norm.weight") { return .heads }
            return names.contains("\(block).attentions.0.proj_in.weight") ? .transformer : .none
        }
        let levels = TensorLayout.count(names, of: "down_blocks.")
        layersPerBlock = TensorLayout.count(names, of: "down_blocks.0.resnets.")
        guard levels > 0, layersPerBlock > 0, names.contains("time_embedding.linear_1.weight") else {
            return nil
        }
        attentions = (0..<levels).map { attention("down_blocks.\($0)") }
        middle = attention("mid_block")
        resampling = names.contains("down_blocks.0.downsamplers.0.conv1.weight") ? .residual : .convolution
        readsText = names.contains("mid_block.attentions.0.add_k_proj.weight")
    }

    /// The layout, for attention heads of a width where a level has `qkv`.
    package func layout(prefix: String, headWidth: Int) -> TensorLayout {
        layout(prefix: prefix, heads: .byHead(.width(headWidth)))
    }

    /// The layout, for an order of heads where a level has `qkv`.
    /// - Parameters:
    ///   - scopes: where nothing begins all names: the first words that are this network's.
    ///   - more: tables of what stands in place of the way up.
    package func layout(
        prefix: String, heads: HeadOrder, scopes: Set<String> = [], more: [TensorLayout.Section] = []
    ) -> TensorLayout {
        var rows = BlockRows(order: heads, readsText: readsText)
        rows.exact += [
            ("time_embed.0", "time_embedding.linear_1"), ("time_embed.2", "time_embedding.linear_2"),
            ("input_blocks.0.0", "conv_in"), ("out.0", "conv_norm_out"), ("out.2", "conv_out"),
            ("label_emb.0.0", "add_embedding.linear_1"), ("label_emb.0.2", "add_embedding.linear_2"),
        ]
        let last = attentions.count - 1
        for (level, attention) in attentions.enumerated() {
            let down = "down_blocks.\(level)"
            let first = 1 + level * (layersPerBlock + 1)
            for layer in 0..<layersPerBlock {
                rows.residual("input_blocks.\(first + layer).0", "\(down).resnets.\(layer)")
                rows.attention(attention, "input_blocks.\(first + layer).1", "\(down).attentions.\(layer)")
            }
            if level < last {
                rows.resampling(
                    resampling, "input_blocks.\(first + layersPerBlock).0", "op", "\(down).downsamplers.0")
            }
            let up = "up_blocks.\(last - level)"
            let start = (last - level) * (layersPerBlock + 1)
            for layer in 0...layersPerBlock {
                rows.residual("output_blocks.\(start + layer).0", "\(up).resnets.\(layer)")
                rows.attention(attention, "output_blocks.\(start + layer).1", "\(up).attentions.\(layer)")
            }
            if level > 0 {
                let place = attention == .none ? 1 : 2
                rows.resampling(
                    resampling, "output_blocks.\(start + layersPerBlock).\(place)", "conv",
                    "\(up).upsamplers.0")
            }
        }
        rows.residual("middle_block.0", "mid_block.resnets.0")
        rows.attention(middle, "middle_block.1", "mid_block.attentions.0")
        rows.residual("middle_block.2", "mid_block.resnets.1")
        return TensorLayout(prefix: prefix, scopes: scopes, rows.sections + more)
    }
}

/// The rows of a U-Net as they are collected; the exact ones stand for `weight` and `bias`.
private struct BlockRows {
    let order: CompVisUNet.HeadOrder
    let readsText: Bool
    var exact: [(String, String)] = []
    private var scopes: [(String, String)] = []
    private var matrices: [(String, String)] = []
    private var heads: [(String, String)] = []

    init(order: CompVisUNet.HeadOrder, readsText: Bool) {
        (self.order, self.readsText) = (order, readsText)
    }

    /// What halves or doubles: a convolution under a word of its own, or a residual block.
    mutating func resampling(
        _ resampling: CompVisUNet.Resampling, _ foreign: String, _ word: String, _ native: String
    ) {
        switch resampling {
        case .convolution: exact.append(("\(foreign).\(word)", "\(native).conv"))
        case .residual: residual(foreign, native)
        }
    }

    mutating func residual(_ foreign: String, _ native: String) {
        exact += [
            ("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj"),
            ("out_layers.0", "norm2"), ("out_layers.3", "conv2"), ("skip_connection", "conv_shortcut"),
        ].map { ("\(foreign).\($0)", "\(native).\($1)") }
    }

    mutating func attention(_ attention: CompVisUNet.Attention, _ foreign: String, _ native: String) {
        switch attention {
        case .none: break
        case .transformer: scopes.append(("\(foreign).*", "\(native).*"))
        case .heads:
            exact.append(("\(foreign).norm", "\(native).group_norm"))
            scopes.append(("\(foreign).proj_out.bias", "\(native).to_out.0.bias"))
            matrices.append(("\(foreign).proj_out.weight", "\(native).to_out.0.weight"))
            heads.append((foreign, native))
        }
    }

    var sections: [TensorLayout.Section] {
        let whole = exact.flatMap { foreign, native in
            ["weight", "bias"].map { ("\(foreign).\($0)", "\(native).\($0)") }
        }
        func parts(_ word: String, _ names: [String]) -> [TensorLayout.Section] {
            names.enumerated().map { index, name in
                let rows = heads.map { ("\($0).\(word).*", "\($1).\(name).*") }
                return (order.view(of: index, among: names.count), NameMap(rows))
            }
        }
        let own = parts("qkv", ["to_q", "to_k", "to_v"])
        let texts = readsText ? parts("encoder_kv", ["add_k_proj", "add_v_proj"]) : []
        return [(.whole, NameMap(whole + [("label_emb.weight", "class_embedding.weight")] + scopes))]
            + [(.matrix, NameMap(matrices))] + own + texts
    }
}

extension CompVisUNet.HeadOrder {
    /// How one of the parts is seen: queries, keys and values of pixels, or keys and values of a text.
    fileprivate func view(of part: Int, among count: Int) -> TensorView {
        switch self {
        case .byHead(.width(let width)): .headPart(part, of: count, width: width)
        case .byHead(.count(let heads)): .headShare(part, of: count, heads: heads)
        case .byPart: .matrixPart(part, of: count)
        }
    }
}

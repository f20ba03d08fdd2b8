import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// Answers are compared with those of diffusers through the program (`ControlNetCommandTests`).
@Suite struct SD3ControlNetTests {
    /// Counts of diffusers' class for the configurations of published networks: six blocks, all but one with a mask, blocks of
    /// patches alone, and second attentions.
    @Test(
        arguments: [
            (["num_layers": 6], 538_805_760),
            (["num_layers": 23, "extra_conditioning_channels": 1], 2_023_618_560),
            (
                [
                    "num_attention_heads": 38, "caption_projection_dim": 2048, "num_layers": 19,
                    "joint_attention_dim": nil, "use_pos_embed": false, "pos_embed_type": nil,
                    "force_zeros_for_pooled_projection": false,
                ], 2_153_518_976
            ),
            (
                ["num_layers": 12, "dual_attention_layers": [0, 1, 2, 3, 4], "qk_norm": "rms_norm"],
                1_145_488_000
            ),
        ] as [(JSONObject, Int)])
    func `parameters are counted`(_ changes: JSONObject, _ count: Int) throws {
        var object: JSONObject = [
            "_class_name": "SD3ControlNetModel", "num_attention_heads": 24, "caption_projection_dim": 1536,
            "pos_embed_max_size": 192,
        ]
        for (key, value) in changes.members { object[key] = value }
        let store = try SD3ControlNet.shapes(object)
        #expect(store.parameterCount == count)
        let written = try SD3ControlNet.json(SD3ControlNet.configuration(object))
        #expect(try SD3ControlNet.shapes(written).parameterCount == count)
    }

    /// A block of a network that has fewer stands for its share of the transformer's; the last of those is given nothing.
    @Test func `blocks have their shares`() {
        func spread(_ own: Int, over count: Int) -> [Int] {
            let control = (0..<own).map { Tensor([Float($0)]) }
            return SD3ControlNet.spread(control, over: count).map { (try? $0.item(Int.self)) ?? -1 }
        }
        #expect(spread(2, over: 5) == [0, 0, 0, 1])
        #expect(spread(5, over: 5) == [0, 1, 2, 3])
        #expect(spread(6, over: 4) == [0, 1, 3])
        #expect(spread(3, over: 1) == [])
    }

    @Test(
        arguments: [
            ("num_layers", 0), ("extra_conditioning_channels", -1), ("joint_attention_dim", 0),
            ("pos_embed_type", "learned"), ("caption_projection_dim", 12), ("use_pos_embed", "no"),
        ] as [(String, JSONValue)])
    func `what describes no network is refused`(_ key: String, _ value: JSONValue) throws {
        var object = try SD3ControlNet.json(SD3ControlNetConfiguration())
        object[key] = value
        let error = #expect(throws: (any Error).self) { try SD3ControlNet.shapes(object) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(key))
    }
}

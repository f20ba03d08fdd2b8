import Checkpoints
import Layers
import Networks
import Storage
import TestSupport
import Testing

/// What finds depths, against transformers (`Tools/oracle/depth.py`).
@Suite struct DepthEstimatorTests {
    @Test(arguments: try Fixture.all(in: "depth"))
    func `depths are those of transformers`(_ fixture: Fixture) throws {
        try compare(fixture, DepthEstimator.self) { network, inputs in
            ["depth": network(try #require(inputs["pictures"]))]
        }
    }

    private func object(_ text: String) throws -> JSONObject {
        try #require(JSONObject(json: JSONValue(parsing: Array(text.utf8), place: "config.json")))
    }

    /// DPT-Hybrid, which the depth model of Stable Diffusion 2 has, and DPT-Large.
    @Test(arguments: [
        (
            """
            {"is_hybrid": true, "neck_hidden_sizes": [256, 512, 768, 768], "reassemble_factors": [1, 1, 1, 0.5]}
            """, 122_377_985
        ),
        (
            """
            {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
             "backbone_out_indices": [5, 11, 17, 23], "neck_hidden_sizes": [256, 512, 1024, 1024]}
            """, 343_030_465
        ),
    ])
    func `published networks have their parameters`(_ configuration: String, _ count: Int) throws {
        #expect(try DepthEstimator.shapes(object(configuration)).parameterCount == count)
    }

    @Test(arguments: [
        (
            #"{"is_hybrid": true, "neck_hidden_sizes": [256, 512, 768, 768], "readout_type": "add"}"#,
            "readout_type"
        ),
        (#"{"is_hybrid": true, "neck_hidden_sizes": [96, 192, 384, 768]}"#, "neck_hidden_sizes"),
        (#"{"is_hybrid": true, "backbone_config": {"layer_type": "preactivation"}}"#, "layer_type"),
        (#"{"is_hybrid": true, "backbone_config": {"global_padding": null}}"#, "global_padding"),
        (#"{"backbone_config": {"model_type": "swinv2"}}"#, "backbone_config"),
        (#"{"backbone_out_indices": [2, 5, 8, 12]}"#, "backbone_out_indices"),
        (#"{"use_batch_norm_in_fusion_residual": true}"#, "use_batch_norm_in_fusion_residual"),
        (#"{"reassemble_factors": [4, 2, 1, 0.3]}"#, "reassemble_factors"),
        (#"{"head_in_index": 2}"#, "head_in_index"),
    ])
    func `what is no such network is refused by its key`(_ configuration: String, _ key: String) throws {
        #expect { try DepthEstimator.configuration(object(configuration)) } throws: { "\($0)".contains(key) }
    }
}

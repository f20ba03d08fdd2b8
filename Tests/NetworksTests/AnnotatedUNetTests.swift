import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct AnnotatedUNetTests {
    @Test(arguments: try Fixture.all(in: "convnext"))
    func `forward and gradients are those of the annotated code`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: AnnotatedUNetConfiguration.self)
        try compare(fixture) {
            try AnnotatedUNet(configuration, $0)
        } run: { network, x, time, _ in
            network(x, time: time)
        }
    }

    /// Every row of the table of layers in S. Goswami's article that has parameters.
    @Test func `every row of the published table of layers is reproduced`() throws {
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try AnnotatedUNet(AnnotatedUNetConfiguration(), $0) }
        let counts = store.parameterCounts
        for (path, published) in publishedRows { #expect(counts[path] == published, "\(path)") }
        #expect(counts[""] == 2_996_315)
        #expect(store.parameterCount == 2_996_315)
        #expect(publishedRows.reduce(0) { $0 + $1.1 } == 2_996_315)
    }

    @Test func `every name and shape is that of the annotated code`() throws {
        let data = try Data(contentsOf: URL(filePath: fixturePath("convnext/convnext-counts.json")))
        let listing = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let shapes = try #require(listing["parameters"] as? [String: [Int]])
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try AnnotatedUNet(AnnotatedUNetConfiguration(), $0) }
        let found = Dictionary(uniqueKeysWithValues: zip(store.names, store.parameters.map(\.shape.extents)))
        #expect(found == shapes)
    }

    @Test(arguments: [
        (#"{"dim": 2}"#, "dim"), (#"{"dim": 9999999}"#, "dim"), (#"{"dim_mults": []}"#, "dim_mults"),
        (#"{"dim_mults": [2, 4]}"#, "dim_mults"), (#"{"dim_mults": [1, 0]}"#, "dim_mults[1]"),
        (#"{"channels": "one"}"#, "channels"), (#"{"convnext_mult": 0}"#, "convnext_mult"),
        (#"{"init_dim": -1}"#, "init_dim"), (#"{"out_dim": 0}"#, "out_dim"),
    ])
    func `a wrong value is named by its key`(_ text: String, _ key: String) {
        #expect { try JSONDecoder().decode(AnnotatedUNetConfiguration.self, from: Data(text.utf8)) } throws: {
            ($0 as? NetworkError)?.key == key
        }
    }
}

private let publishedRows: [(String, Int)] = [
    ("init_conv", 900), ("time_mlp.1", 3_248), ("time_mlp.3", 12_656),
    ("downs.0.0", 26_882), ("downs.0.1", 33_040), ("downs.0.2", 14_476), ("downs.0.3", 12_572),
    ("downs.1.0", 91_308), ("downs.1.1", 122_528), ("downs.1.2", 28_952), ("downs.1.3", 50_232),
    ("downs.2.0", 355_096), ("downs.2.1", 470_848), ("downs.2.2", 57_904),
    ("ups.0.0", 332_192), ("ups.0.1", 122_528), ("ups.0.2", 28_952), ("ups.0.3", 50_232),
    ("ups.1.0", 92_400), ("ups.1.1", 33_040), ("ups.1.2", 14_476), ("ups.1.3", 12_572),
    ("mid_block1.mlp", 12_656), ("mid_block1.ds_conv", 5_600), ("mid_block1.net.0", 224),
    ("mid_block1.net.1", 226_016), ("mid_block1.net.3", 448), ("mid_block1.net.4", 225_904),
    ("mid_attn.fn.fn", 57_456), ("mid_attn.fn.norm", 224),
    ("mid_block2.mlp", 12_656), ("mid_block2.ds_conv", 5_600), ("mid_block2.net.0", 224),
    ("mid_block2.net.1", 226_016), ("mid_block2.net.3", 448), ("mid_block2.net.4", 225_904),
    ("final_conv.0.ds_conv", 1_400), ("final_conv.0.net", 28_476), ("final_conv.1", 29),
]

import Checkpoints
import Layers
import Networks
import Storage
import TestSupport
import Testing

/// Rows B1 to B11 of the reliability plan, for the `config.json` of every network: each value in turn is replaced by
/// what nobody means, and is refused before anything is made of it.
@Suite struct HostileConfigurationTests {
    /// A network whose configuration has defaults, and these in the form of a file.
    struct Subject: Sendable, CustomTestStringConvertible {
        let network: any ConfiguredNetwork.Type
        let defaults: JSONObject
        var testDescription: String { network.className }
    }

    static let subjects: [Subject] = KnownNetworks.all.compactMap { network in
        (defaults(of: network)).map { Subject(network: network, defaults: $0) }
    }

    private static func defaults(of network: any ConfiguredNetwork.Type) -> JSONObject? {
        func made<Network: ConfiguredNetwork>(_ type: Network.Type) -> JSONObject? {
            guard let table = Network.Configuration.self as? any ConfigurationTable.Type,
                let configuration = table.init() as? Network.Configuration
            else { return nil }
            return try? Network.json(configuration)
        }
        return made(network)
    }

    /// The error about the defaults with one value replaced; nil where the network could be built.
    private func refusal(_ subject: Subject, _ key: String, _ value: JSONValue) throws -> String? {
        var object = subject.defaults
        object[key] = value
        do {
            _ = try subject.network.shapes(object)
            return nil
        } catch let error as CheckpointError {
            return error.description
        }
    }

    private func keys(_ subject: Subject, where fits: (JSONValue) -> Bool) -> [String] {
        subject.defaults.keys.filter { subject.defaults[$0].map(fits) ?? false }
    }

    private func isInteger(_ value: JSONValue) -> Bool { Int(json: value) != nil }

    /// Numbers that may be fractions, though their defaults are whole.
    private static let fractions: Set = [
        "dropout", "mid_block_scale_factor", "scaling_factor", "shift_factor", "norm_eps", "img_range",
        "resnet_out_scale_factor", "time_scale",
    ]
    /// Numbers that no size depends on.
    private static let free: Set = ["eos_token_id"]
    /// Numbers that may be below 0.
    private static let signed: Set = ["freq_shift", "head_in_index"]

    @Test func everyNetworkHasDefaults() {
        #expect(Self.subjects.count == KnownNetworks.all.count)
        #expect(Self.subjects.allSatisfy { $0.defaults.keys.count > 1 })
    }

    /// B5, B6, B7: no size may be 0, below 0, 10⁶ times what there is, or beyond any machine.
    @Test(arguments: subjects) func sizesThatNoNetworkHasAreRefused(_ subject: Subject) throws {
        #expect(try refusal(subject, "_comment", .null) == nil)
        for key in keys(subject, where: isInteger) where !Self.fractions.contains(key) {
            for value in [-1, 1_000_000_000, .max, .min]
            where !Self.free.contains(key) && (value != -1 || !Self.signed.contains(key)) {
                let found = try refusal(subject, key, .integer(value))
                #expect(found?.contains(key) == true, "\(key) \(value): \(found ?? "accepted")")
            }
            let mayBeZero = [
                "freq_shift", "downsample_padding", "decoder_downsample_padding", "eos_token_id",
                "num_upsample", "label_dim", "augment_dim", "extra_conditioning_channels",
            ].contains(key)
            #expect(try (refusal(subject, key, .integer(0)) == nil) == mayBeZero, "\(key) 0")
        }
        let isPicture = subject.defaults["sample_size"] != nil
        #expect(try !isPicture || refusal(subject, "sample_size", 1_000_000) != nil)
    }

    /// B5: lists of sizes that are empty, endless or hold what no size is.
    @Test(arguments: subjects) func listsThatNoNetworkHasAreRefused(_ subject: Subject) throws {
        let lists = keys(subject) { if case .array = $0 { true } else { false } }
        for key in lists where key != "architectures" {
            // Their numbers are places among blocks and sizes.
            let isPlaces = ["dual_attention_layers", "attn_resolutions"].contains(key)
            let long = JSONValue.array(Array(repeating: 64, count: 100_000))
            let lists: [JSONValue] = [long, [-1], [1_000_000_000], ["x"], [nil], [[1]], [1.5], "x", 3]
            for value in lists + (isPlaces ? [] : [[0]]) {
                let found = try refusal(subject, key, value)
                #expect(found != nil, "\(key) \(value.text.prefix(40))")
                #expect(found?.utf8.count ?? 0 < 600)
            }
            #expect(try (refusal(subject, key, []) == nil) == isPlaces, "\(key) []")
        }
    }

    /// B6: heads that share what they cannot.
    @Test func headsThatDoNotDivideAreRefused() throws {
        let cases: [(String, String, JSONValue)] = [
            ("CLIPTextModel", "num_attention_heads", 7), ("CLIPVisionModel", "num_attention_heads", 7),
            ("SD3Transformer2DModel", "caption_projection_dim", 1151),
            ("UNet2DModel", "attention_head_dim", 1000),
            ("UNet2DConditionModel", "attention_head_dim", 1281),
        ]
        for (name, key, value) in cases {
            let subject = try #require(Self.subjects.first { $0.network.className == name })
            #expect(try refusal(subject, key, value)?.contains(key) == true, "\(name) \(key)")
        }
    }

    /// B10: 1.0 is no whole number, and words, lists and truths are no numbers.
    @Test(arguments: subjects) func valuesOfAnotherKindAreRefused(_ subject: Subject) throws {
        for key in keys(subject, where: isInteger) {
            let isFraction = Self.fractions.contains(key)
            let found = try refusal(subject, key, .number(1))
            #expect(
                isFraction ? found?.contains("must be") != true : found?.contains(key) == true, "\(key) 1.0")
            for value in ["1", true, [[]], ["a": 1]] as [JSONValue] {
                #expect(try refusal(subject, key, value)?.contains(key) == true, "\(key) \(value.text)")
            }
        }
        for key in keys(subject, where: { Bool(json: $0) != nil }) {
            #expect(try refusal(subject, key, 1)?.contains(key) == true, "\(key)")
        }
    }

    /// B1, B2: a class is a word among those there are, and neither a path nor a name in a library.
    @Test(arguments: [
        "UNet9DModel", "../../UNet2DModel", "/usr/lib/UNet2DModel", "diffusers.UNet2DModel", "os.system", "",
        "UNet2DModel\0", "unet2dmodel",
    ])
    func otherClassesAreRefused(_ name: String) throws {
        for object in [["_class_name": .string(name)], ["architectures": [.string(name)]]] as [JSONObject] {
            let error = #expect(throws: CheckpointError.self) { try KnownNetworks.network(of: object) }
            #expect(error?.description.contains("is not known here") == true)
        }
        #expect(throws: CheckpointError.self) { try UNet2D.configuration(["_class_name": .string(name)]) }
    }

    /// B9
    @Test func nestingThatNobodyWritesIsRefused() throws {
        let folder = try TemporaryFolder()
        let depth = 10_000
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            let nested = String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
            try folder.write("config.json", #"{"_class_name": "UNet2DModel", "sample_size": \#(nested)}"#)
            let error = #expect(throws: CheckpointError.self) {
                try UNet2D.configuration(of: ModelFolder(folder.path))
            }
            #expect(error?.description.contains("deeper than 127") == true)
        }
    }

    /// B11: keys that the library's class does not have are passed over, and named for a message.
    @Test(arguments: subjects) func unknownKeysAreNamedAndPassedOver(_ subject: Subject) throws {
        var object = subject.defaults
        for index in 0..<10_000 { object["frobnicate_\(index)"] = [[1, "x"]] }
        let found = subject.network.foreignKeys(in: object)
        #expect(found.count == 10_000 && found[0] == "frobnicate_0")
        #expect(try subject.network.shapes(object).names == subject.network.shapes(subject.defaults).names)
        #expect(subject.network.foreignKeys(in: subject.defaults).isEmpty)
    }
}

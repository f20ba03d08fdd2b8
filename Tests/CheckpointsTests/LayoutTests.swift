import Checkpoints
import Layers
import Storage
import Tensors
import TestSupport
import Testing

/// A component of a published single file, as the reference names it.
struct PublishedComponent: Sendable {
    struct Row: Sendable {
        let foreign: String
        let shape: Shape
        let natives: [(name: String, view: TensorView, shape: Shape)]
    }

    let component: ModelComponent
    let configuration: JSONObject
    let rows: [Row]
}

/// What a published single file holds: `Tests/Fixtures/layouts/FAMILY.json.gz`.
struct PublishedFile: Sendable {
    let components: [PublishedComponent]
    let aside: [(name: String, shape: Shape)]

    init(_ family: CheckpointFamily) throws {
        let path = fixturePath("layouts/\(family.rawValue).json.gz")
        let text = try inflated(contents(of: path), .gzip, limit: 16 << 20)
        let root = try #require(JSONObject(json: JSONValue(parsing: text, place: path)))
        #expect(try root.required("family") == family.rawValue)
        let parts: JSONObject = try root.required("components")
        components = try parts.keys.map { key in
            let part: JSONObject = try parts.required(key)
            let configuration: JSONObject = try part.required("configuration")
            let width = try? configuration.required("attention_head_dim", as: Int.self)
            let count = try? configuration.required("num_attention_heads", as: Int.self)
            return PublishedComponent(
                component: try #require(ModelComponent(rawValue: key)), configuration: configuration,
                rows: try part.required("rows", as: [[JSONValue]].self).map {
                    try Self.row($0, heads: width.map { .width($0) } ?? count.map { .count($0) })
                })
        }
        aside = try root.required("aside", as: [[JSONValue]].self).map { pair in
            (try #require(String(json: pair[0])), Shape(try #require([Int](json: pair[1]))))
        }
    }

    private static func row(_ row: [JSONValue], heads: HeadSplit?) throws -> PublishedComponent.Row {
        PublishedComponent.Row(
            foreign: try #require(String(json: row[0])), shape: Shape(try #require([Int](json: row[1]))),
            natives: try #require([[JSONValue]](json: row[2])).map { native in
                (
                    try #require(String(json: native[0])),
                    try view(#require(String(json: native[1])), heads),
                    Shape(try #require([Int](json: native[2])))
                )
            })
    }

    private static func view(_ name: String, _ heads: HeadSplit?) throws -> TensorView {
        switch name {
        case "whole": return .whole
        case "matrix": return .matrix
        case "transposed": return .transposed
        case "halves": return .halvesExchanged
        case "identity": return .identity
        default:
            let index = try #require(Int(name.filter(\.isNumber).prefix(1)))
            if name.hasPrefix("matrix ") { return .matrixPart(index) }
            guard name.hasPrefix("h") else { return .part(index, of: 3) }
            let parts = name.hasPrefix("half") ? 2 : 3
            switch try #require(heads) {
            case .width(let width): return .headPart(index, of: parts, width: width)
            case .count(let count): return .headShare(index, of: parts, heads: count)
            }
        }
    }

    /// The names and shapes of the whole file.
    var source: ShapeSource {
        ShapeSource(
            components.flatMap { $0.rows.map { ($0.foreign, $0.shape) } } + aside.map { ($0.name, $0.shape) })
    }
}

/// Names and shapes without values.
struct ShapeSource: TensorSource {
    let names: [String]
    let files: [String] = []
    private let shapes: [String: Shape]

    init(_ tensors: [(String, Shape)]) {
        names = tensors.map(\.0)
        shapes = Dictionary(uniqueKeysWithValues: tensors)
    }

    func shape(of name: String) -> Shape? { shapes[name] }
    func elementType(of name: String) -> ElementType? { shapes[name].map { _ in .float32 } }
    func tensor(named name: String) throws -> Tensor {
        Tensor.empty(try #require(shapes[name]), on: .meta)
    }

    func filtered(_ isKept: (String) -> Bool) -> ShapeSource {
        ShapeSource(names.filter(isKept).map { ($0, shapes[$0]!) })
    }

    func adding(_ more: [(String, Shape)]) -> ShapeSource {
        ShapeSource(names.map { ($0, shapes[$0]!) } + more)
    }
}

@Suite struct LayoutTests {
    /// Every name of every published file has its place, in both directions, with the shape that the network
    /// of the published configuration needs.
    @Test(arguments: CheckpointFamily.allCases)
    func everyPublishedNameHasItsPlace(_ family: CheckpointFamily) throws {
        let published = try PublishedFile(family)
        let source = published.source
        #expect(CheckpointRecognition(source) == .family(family))
        let file = try SingleFileCheckpoint(source)
        #expect(Set(file.components) == Set(published.components.map(\.component)))
        #expect(file.strays.isEmpty)
        #expect(Set(file.setAside.map(\.name)) == Set(published.aside.map(\.name)))
        #expect(file.setAside.allSatisfy { !$0.reason.isEmpty })
        let layouts = Dictionary(
            uniqueKeysWithValues: family.layouts(source.names).map { ($0.component, $0.layout) })
        for part in published.components {
            let layout = try #require(layouts[part.component])
            let weights = try file.weights(of: part.component)
            #expect(Set(weights.names) == Set(part.rows.flatMap { $0.natives.map(\.name) }))
            for row in part.rows {
                let found = layout.natives(for: row.foreign)
                #expect(
                    Set(found.map { "\($0.name) \($0.view)" })
                        == Set(row.natives.map { "\($0.name) \($0.view)" }),
                    "\(row.foreign)")
                for (name, view, shape) in row.natives {
                    let back = layout.foreign(for: name)
                    #expect(back?.name == row.foreign && back?.view == view, "\(name)")
                    #expect(weights.shape(of: name) == shape, "\(name)")
                }
            }
        }
    }

    /// The built-in configurations are those from which the reference was made.
    @Test(arguments: CheckpointFamily.allCases)
    func configurationsAreThePublishedOnes(_ family: CheckpointFamily) throws {
        let published = try PublishedFile(family)
        let ours = try SingleFileCheckpoint(published.source).configurations()
        // Networks in one pass diffuse nothing.
        let diffuses = family.pipeline != CheckpointFamily.esrgan.pipeline
        #expect((ours[.scheduler]?["_class_name"] != nil) == diffuses)
        let schedules: [ModelComponent] =
            family == .upscaler4 ? [.scheduler, .lowResolutionScheduler] : diffuses ? [.scheduler] : []
        #expect(Set(ours.keys) == Set(published.components.map(\.component) + schedules))
        for part in published.components { #expect(ours[part.component] == part.configuration) }
    }

    static let values: [(String, TensorLayout)] = [
        ("open-clip", .openCLIPText(prefix: "conditioner.embedders.1.model.", projection: .kept)),
        ("sd3", .sd3Transformer(prefix: "model.diffusion_model.", blocks: 2)), ("dit", .dit(blocks: 2)),
    ]

    /// The values that diffusers' conversion gives.
    @Test(arguments: ["open-clip", "sd3", "dit", "heads", "quantised"])
    func tensorsHoldWhatTheReferenceHolds(_ name: String) throws {
        let fixture = try Fixture("layouts/values-\(name)")
        let foreign = try fixture.source("foreign.")
        let layout: TensorLayout
        switch name {
        case "heads":
            let prefix = "model.diffusion_model."
            layout = try #require(CompVisUNet(foreign.names, prefix: prefix)).layout(
                prefix: prefix, headWidth: 2)
        case "quantised":
            let prefix = "first_stage_model."
            layout = try #require(CompVisAutoencoder(foreign.names, prefix: prefix)).layout(prefix: prefix)
        default: layout = try #require(Self.values.first { $0.0 == name }?.1)
        }
        let source = try LayoutSource(foreign, layout)
        let native = try fixture.tensors("native.")
        #expect(Set(source.names) == Set(native.keys))
        for (name, wanted) in native {
            let found = try source.tensor(named: name)
            #expect(found.shape == wanted.shape && source.shape(of: name) == wanted.shape, "\(name)")
            #expect(try found.array(of: Float.self) == wanted.array(of: Float.self), "\(name)")
        }
    }

    @Test func identityStandsWhereNoProjectionIs() throws {
        let source = TensorDictionary(["t.text_model.final_layer_norm.weight": Tensor([3, 4] as [Float])])
        let layout = TensorLayout.clipText(prefix: "t.", projection: .identity)
        let seen = try LayoutSource(source, layout)
        #expect(try seen.tensor(named: "text_projection.weight").array(of: Float.self) == [1, 0, 0, 1])
        #expect(try seen.tensor(named: "text_model.final_layer_norm.weight").array(of: Float.self) == [3, 4])
    }

    /// Early single files leave `text_model` out.
    @Test func clipWithoutScopeIsKnown() throws {
        let layout = TensorLayout.clipText(prefix: "c.", projection: .absent)
        #expect(
            layout.natives(for: "c.encoder.layers.0.mlp.fc1.bias").map(\.name)
                == ["text_model.encoder.layers.0.mlp.fc1.bias"])
    }

    @Test func viewsRefuseShapesThatDoNotFit() {
        #expect(TensorView.part(0, of: 3).shape(in: [4, 2]) == nil)
        #expect(TensorView.part(0, of: 3).shape(in: []) == nil)
        #expect(TensorView.matrix.shape(in: [4, 2, 3, 3]) == nil)
        #expect(TensorView.transposed.shape(in: [4]) == nil)
        #expect(TensorView.halvesExchanged.shape(in: [3]) == nil)
        #expect(TensorView.headPart(0, width: 4).shape(in: [18, 6]) == nil)
        #expect(TensorView.identity.shape(in: [2, 2]) == nil)
    }

    @Test func aShapeThatCannotBeSeenIsAnError() throws {
        let source = TensorDictionary([
            "a.transformer.resblocks.0.attn.in_proj_bias": Tensor([1, 2] as [Float])
        ])
        let seen = try LayoutSource(source, .openCLIPText(prefix: "a.", projection: .kept))
        let name = "text_model.encoder.layers.0.self_attn.q_proj.bias"
        #expect(seen.shape(of: name) == [2])
        #expect(throws: CheckpointError.self) { try seen.tensor(named: name) }
        #expect(throws: CheckpointError.self) { try seen.tensor(named: "nowhere") }
    }
}

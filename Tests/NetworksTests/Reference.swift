import Foundation
import Layers
import Tensors
import Testing

/// A file of `Tools/oracle`: tensors that an independent implementation computed, and what it was asked.
struct Reference: Sendable {
    let tensors: [String: Tensor]
    let configuration: Data
    let parameterCount: Int

    init(_ path: String) throws {
        let file = try Data(contentsOf: fixtures.appending(path: path))
        let length = Int(file.prefix(8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
        let header = try #require(
            try JSONSerialization.jsonObject(with: file[8..<8 + length]) as? [String: [String: Any]])
        var tensors: [String: Tensor] = [:]
        for (name, entry) in header where name != "__metadata__" {
            let shape = try #require(entry["shape"] as? [Int])
            let offsets = try #require(entry["data_offsets"] as? [Int])
            let types: [String: ElementType] = ["F32": .float32, "F64": .float64, "I64": .int64]
            let type = try #require(types[entry["dtype"] as? String ?? ""])
            tensors[name] = file[8 + length + offsets[0]..<8 + length + offsets[1]].withUnsafeBytes {
                Tensor(bytes: $0, shape: Shape(shape), elementType: type)
            }
        }
        self.tensors = tensors
        let text = try #require(header["__metadata__"]?["case"] as? String)
        let asked = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        configuration = try JSONSerialization.data(withJSONObject: asked["configuration"] ?? [:])
        parameterCount = try #require(asked["parameters"] as? Int)
    }

    subscript(name: String) -> Tensor {
        get throws { try #require(tensors[name], "the fixture lacks \(name)") }
    }

    /// The tensors whose names begin with a word, under the rest of their names.
    func named(_ prefix: String) -> TensorDictionary {
        let found = tensors.filter { $0.key.hasPrefix(prefix + ".") }
        return TensorDictionary(
            Dictionary(uniqueKeysWithValues: found.map { (String($0.key.dropFirst(prefix.count + 1)), $0.value) }))
    }
}

/// The committed tensors.
let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures")

/// The largest difference between two tensors of one shape.
func distance(_ a: Tensor, _ b: Tensor) throws -> Double {
    try #require(a.shape == b.shape)
    return try (a.to(.float64) - b.to(.float64)).magnitude().max().item()
}

/// The largest element.
func extent(_ tensor: Tensor) throws -> Double { try tensor.to(.float64).magnitude().max().item() }

/// Compares a network with a reference file: forward in float32 and float64, and every gradient.
func compare<Network>(
    _ reference: Reference, build: (Weights) throws -> Network,
    run: (Network, _ x: Tensor, _ time: Tensor, _ labels: Tensor?) -> Tensor
) throws {
    let weights = reference.named("weight")
    let (x, time, labels) = (
        try reference["input.sample"], try reference["input.timestep"], reference.tensors["input.class_labels"]
    )

    let store = ParameterStore(.loaded(weights), purpose: .training)
    let network = try store.build(build)
    #expect(store.parameterCount == reference.parameterCount)
    let leaf = x.requiringGradient()
    let output = run(network, leaf, time, labels)
    #expect(try distance(output, reference["output.sample"]) < 1e-5)

    let loss = (output * (try reference["input.cotangent"])).mean()
    try loss.backward()
    let gradients = reference.named("gradient").tensors
    let largest = try gradients.values.map(extent).max() ?? 0
    for (name, expected) in gradients {
        let found = try #require(name == "sample" ? leaf.gradient : store[name]?.gradient ?? .zeros(expected.shape))
        let scale = max(try extent(expected), 1e-3 * largest)
        #expect(try distance(found, expected) < 1e-4 * scale, "gradient of \(name)")
    }

    let precise = try ParameterStore(.loaded(weights), elementType: .float64).build(build)
    let wideTime = time.elementType.isFloatingPoint ? time.to(.float64) : time
    let exact = run(precise, x.to(.float64), wideTime, labels.map { $0.elementType.isFloatingPoint ? $0.to(.float64) : $0 })
    #expect(try distance(exact, reference["output64.sample"]) < 1e-6)
}

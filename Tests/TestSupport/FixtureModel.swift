import Checkpoints
import Foundation
import Layers
import Networks
import Storage
import Tensors

extension Fixture {
    /// Writes the checkpoint that a fixture of `pipelines` describes, a folder in the diffusers layout.
    ///
    /// - Parameters:
    ///   - name: what the fixture calls it: `model` or `refiner`.
    ///   - change: changes a part's parameters before they are written.
    public func write(
        _ name: String, to path: String,
        changing change: (_ part: String, _ name: String, _ values: Tensor) -> Tensor = { $2 }
    ) throws {
        let described = try self.case.required(name, as: JSONObject.self)
        let files = try described.required("files", as: JSONObject.self)
        for file in files.keys {
            var parts = file.split(separator: "/").map(String.init)
            let last = parts.removeLast()
            try ModelFolder(([path] + parts).joined(separator: "/")).write(files.required(file), to: last)
        }
        let seeds = try described.required("weights", as: JSONObject.self)
        for part in seeds.keys {
            let configuration = try ModelFolder("\(path)/\(part)").configuration()
            try writeWeights(
                KnownNetworks.network(of: configuration), configuration, seed: seeds.required(part),
                to: "\(path)/\(part)"
            ) { change(part, $0, $1) }
        }
        let tokenizers = try described.required("tokenizers", as: JSONObject.self)
        for part in tokenizers.keys {
            let own = fixturePath("tokenizers/\(try tokenizers.required(part, as: String.self))")
            try FileManager.default.copyItem(atPath: own, toPath: "\(path)/\(part)")
        }
    }
}

/// Writes weights that are drawn in the order of their names, times powers of two.
private func writeWeights<Network: ConfiguredNetwork>(
    _ type: Network.Type, _ object: JSONObject, seed: Int, to path: String,
    changing change: (String, Tensor) -> Tensor
) throws {
    let configuration = try type.configuration(object)
    // What is no parameter follows from the configuration.
    let store = ParameterStore(.initialized(RandomGenerator(seed: 0)))
    _ = try store.build { try type.init(configuration, $0) }
    let generator = RandomGenerator(seed: UInt64(seed))
    let tensors = store.named.sorted { $0.0 < $1.0 }.map { name, tensor -> (String, Tensor) in
        guard !store.buffers.contains(name) else { return (name, tensor) }
        let noise = generator.normal(tensor.shape)
        guard tensor.rank > 1 else {
            return (name, change(name, name.hasSuffix("bias") ? noise * 0.25 : noise * 0.25 + 1))
        }
        let inputs = Double(tensor.shape.elementCount / tensor.shape[0])
        return (name, change(name, noise * exp2((-log2(inputs) / 2).rounded(.toNearestOrEven))))
    }
    let file = type.library == .diffusers ? "diffusion_pytorch_model" : "model"
    try SafetensorsWriter(tensors).write(to: "\(path)/\(file).safetensors")
}

import Checkpoints
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// Models of a few thousand random parameters in the diffusers layout: the configurations and tokenizers are those of a
/// fixture of `Tools/oracle/pipelines.py`.
struct FixtureModel {
    /// The model's folder.
    let path: String

    /// Writes a model of a fixture: `model`, or `refiner` where it has one.
    init(_ name: String = "model", of fixture: String, in folder: TemporaryFolder) throws {
        path = folder("\(fixture)-\(name)")
        let described: JSONObject = try Fixture("pipelines/\(fixture)").case.required(name)
        let files: JSONObject = try described.required("files")
        for file in files.keys {
            let parts = file.split(separator: "/").map(String.init)
            let place = ([path] + parts.dropLast()).joined(separator: "/")
            try ModelFolder(place).write(files.required(file), to: #require(parts.last))
        }
        for part in try described.required("weights", as: JSONObject.self).keys {
            let object = try ModelFolder("\(path)/\(part)").configuration()
            try Self.write(KnownNetworks.network(of: object), object, to: "\(path)/\(part)")
        }
        let tokenizers: JSONObject = try described.required("tokenizers")
        for part in tokenizers.keys {
            let own = fixturePath("tokenizers/\(try tokenizers.required(part, as: String.self))")
            try FileManager.default.copyItem(atPath: own, toPath: "\(path)/\(part)")
        }
    }

    private static func write<Network: ConfiguredNetwork>(
        _ type: Network.Type, _ object: JSONObject, to path: String
    ) throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 5)))
        let configuration = try type.configuration(object)
        _ = try store.build { try type.init(configuration, $0) }
        let base = type.library == .diffusers ? "diffusion_pytorch_model" : "model"
        try SafetensorsWriter(store.named).write(to: "\(path)/\(base).safetensors")
    }

    /// The weights of a part, with their names.
    func weights(of part: String) throws -> [(String, Tensor)] {
        let source = try ModelFolder("\(path)/\(part)").weights()
        return try source.names.map { ($0, try source.tensor(named: $0)) }
    }

    /// The model as one file under the names of the latent-diffusion code; the folder describes it.
    func asFile(_ file: String) throws {
        let parts = try ["unet", "vae"].flatMap { part in
            let tensors = try weights(of: part)
            let names = try #require(OriginalNames(natives: tensors.map(\.0)))
            return try tensors.map { (try #require(names[$0]), $1) }
        }
        let text = try weights(of: "text_encoder").map { ("cond_stage_model.transformer." + $0, $1) }
        try SafetensorsWriter(parts + text).write(to: file)
    }
}

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
        try Fixture("pipelines/\(fixture)").write(name, to: path)
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

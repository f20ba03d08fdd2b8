import Checkpoints
import Networks
import Pipelines
import Storage

/// What `evaluate` measures of models that are no pipelines: a row for each kind, told by the class in `config.json`.
/// What has none is sampled, and the samples are compared with the data.
struct EvaluatedKind: Sendable {
    /// The classes of the networks that it measures.
    let classNames: Set<String>
    /// Measures and prints; options that it does not read are refused.
    let measure: @Sendable (_ command: Evaluate, _ folder: ModelFolder) throws -> Void

    /// Every kind.
    static let all: [EvaluatedKind] = []

    /// The kind of the model at a path, with the folder that its `config.json` is in; `nil` where it is sampled.
    /// - Throws: `CheckpointError` where `config.json` is none.
    static func of(_ path: String) throws -> (kind: EvaluatedKind, folder: ModelFolder)? {
        for folder in ["\(path)/model", path] where Files.exists(folder + "/config.json") {
            let name = try KnownNetworks.name(in: ModelFolder(folder).configuration())
            return all.first { $0.classNames.contains(name) }.map { ($0, ModelFolder(folder)) }
        }
        return nil
    }
}

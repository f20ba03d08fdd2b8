import Checkpoints
import Networks
import Pipelines
import Storage

/// What `evaluate` measures of models that draw no samples: a row for each kind, known by the class in `config.json`, or in
/// `model_index.json` where the model has several parts.
/// What has none is sampled, and the samples are compared with the data.
struct EvaluatedKind: Sendable {
    /// The classes that it measures.
    let classNames: Set<String>
    /// Measures and prints; options that it does not read are refused.
    let measure: @Sendable (_ command: Evaluate, _ folder: ModelFolder) throws -> Void

    /// Every kind.
    static let all: [EvaluatedKind] = [autoencoder, clip, classifier]

    /// The kind of the model at a path, with the folder that its `config.json` or `model_index.json` is in; `nil` where it
    /// is sampled.
    /// - Throws: `CheckpointError` where that file is none.
    static func of(_ path: String) throws -> (kind: EvaluatedKind, folder: ModelFolder)? {
        for folder in ["\(path)/model", path] {
            for file in ["config.json", "model_index.json"] where Files.exists("\(folder)/\(file)") {
                let name = try KnownNetworks.name(in: ModelFolder(folder).configuration(file))
                return all.first { $0.classNames.contains(name) }.map { ($0, ModelFolder(folder)) }
            }
        }
        return nil
    }
}

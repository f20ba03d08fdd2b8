import Checkpoints
import Layers
import Pictures
import Storage
import Tensors

/// What a run keeps of its network beside checkpoints: a model that others can open, and samples.
public protocol TrainingOutput {
    /// The metadata in the header of each checkpoint's `model.safetensors`.
    var metadata: [String: String] { get throws }
    /// Writes the model.
    /// - Parameters:
    ///   - parameters: every trained parameter, averaged where the run keeps an average.
    ///   - path: the folder, which is replaced whole.
    func write(_ parameters: [(String, Tensor)], to path: String) throws
    /// A sheet of samples of the parameters; `nil` where there is nothing to show.
    func sheet(_ parameters: TensorDictionary) throws -> Picture?
}

/// The parameters in one file, and no samples.
public struct WeightsOutput: TrainingOutput {
    /// The output.
    public init() {}
    /// The format alone.
    public var metadata: [String: String] { ["format": "pt"] }
    /// Writes `model.safetensors`.
    public func write(_ parameters: [(String, Tensor)], to path: String) throws {
        try Files.createFolder(path)
        try SafetensorsWriter(parameters, metadata: metadata).write(to: "\(path)/model.safetensors")
    }
    /// None.
    public func sheet(_ parameters: TensorDictionary) -> Picture? { nil }
}

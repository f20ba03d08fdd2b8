import Foundation
import Layers
import Storage
import Tensors

/// A folder with one network in the layout of diffusers or transformers: `config.json` and the weights
/// in one safetensors file, or in several with an index.
public struct ModelFolder: Sendable {
    /// The path as it was given.
    public let path: String

    /// A folder, not looked at yet.
    public init(_ path: String) { self.path = path }

    // MARK: Reading

    /// Reads a configuration.
    ///
    /// - Parameters:
    ///   - name: the file; `config.json` for networks, `scheduler_config.json` for schedulers.
    ///   - allowsNonFinite: whether `NaN`, `Infinity` and `-Infinity` count as numbers, as schedulers need.
    /// - Throws: `CheckpointError` when it is missing, no strict JSON, or no object.
    public func configuration(_ name: String = "config.json", allowsNonFinite: Bool = false) throws
        -> JSONObject
    {
        let file = "\(path)/\(name)"
        guard exists(path) else { throw CheckpointError(path, "there is no such folder") }
        guard exists(file) else { throw CheckpointError(path, "the folder holds no \(name)") }
        guard let object = JSONObject(json: try JSONValue(file: file, allowsNonFinite: allowsNonFinite))
        else {
            throw CheckpointError(file, "a configuration must be an object")
        }
        return object
    }

    /// Opens the weights: the index where there is one, otherwise the single file.
    ///
    /// - Parameters:
    ///   - variant: a second set of weights, such as `fp16`; the plain one when nil.
    ///   - storage: whether files are mapped or read.
    /// - Throws: `CheckpointError` that names the files looked for when there are none, says so when only
    ///   weights in pickle form are there, and passes on what is wrong with those found.
    public func weights(
        variant: String? = nil, storage: SafetensorsFile.Storage = .mapped
    ) throws -> any TensorSource {
        let candidates = ["diffusion_pytorch_model", "model"].map {
            WeightsFileName(base: $0, variant: variant)
        }
        for candidate in candidates {
            if exists("\(path)/\(candidate.index)") {
                let index = "\(path)/\(candidate.index)"
                return ScaledSource.over(try ShardedCheckpoint(index: index, storage: storage))
            }
            if exists("\(path)/\(candidate.single)") {
                let file = "\(path)/\(candidate.single)"
                return ScaledSource.over(try SafetensorsFile(path: file, storage: storage))
            }
        }
        guard exists(path) else { throw CheckpointError(path, "there is no such folder") }
        let present = fileNames()
        let pickles = present.filter { name in
            [".bin", ".pt", ".pth", ".ckpt"].contains { name.hasSuffix($0) }
        }
        if let pickle = pickles.first {
            throw CheckpointError(
                path,
                "its weights are in \(quoted(pickle)), a pickle file, which can run any code when it "
                    + "is read; convert it to safetensors on a machine where that does no harm")
        }
        let others = present.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".index.json") }
        let wanted = listed(candidates.flatMap { [$0.single, $0.index] })
        throw CheckpointError(
            path,
            others.isEmpty
                ? "the folder holds no weights: none of \(wanted)"
                : "the folder holds \(listed(others)), and none of \(wanted)")
    }

    // MARK: Writing

    /// Writes a configuration as diffusers does: sorted keys, two spaces of indentation.
    /// - Throws: `FileError` or `CheckpointError` when it cannot be written.
    public func write(_ configuration: JSONObject, to name: String = "config.json") throws {
        try makeFolder()
        try Files.replace("\(path)/\(name)", with: JSONValue.object(configuration).text.utf8)
    }

    /// Writes weights: in one file, or in several with an index where they exceed `maximalShardByteCount`.
    ///
    /// Tensors fill the shards in the given order; one that is larger than a shard may be has its own.
    /// The index is written last, and files of an earlier set under the same names are removed. Over an
    /// earlier set with as many shards an interruption can leave a mixture, so write into a new folder
    /// and rename it where that matters.
    ///
    /// - Parameters:
    ///   - tensors: names and tensors.
    ///   - names: how the files are called.
    ///   - metadata: the free texts of every file.
    ///   - maximalShardByteCount: how many bytes of tensors a file may hold; 10 GB as in diffusers.
    /// - Throws: `FileError` or `CheckpointError` when they cannot be written; a tensor's own error.
    public func write(
        _ tensors: [(String, Tensor)], names: WeightsFileName = WeightsFileName(),
        metadata: [String: String] = ["format": "pt"], maximalShardByteCount: Int = 10_000_000_000
    ) throws {
        try write(
            tensors.map { try DeferredTensor($0, $1) }, names: names, metadata: metadata,
            maximalShardByteCount: maximalShardByteCount)
    }

    /// Writes weights that are made one after the other.
    package func write(
        _ tensors: [DeferredTensor], names: WeightsFileName, metadata: [String: String] = ["format": "pt"],
        maximalShardByteCount: Int = 10_000_000_000
    ) throws {
        try makeFolder()
        let shards = split(tensors, maximalShardByteCount)
        var written: Set<String> = []
        if shards.count <= 1 {
            try SafetensorsWriter(tensors, metadata: metadata).write(to: "\(path)/\(names.single)")
            written.insert(names.single)
        } else {
            var seen = NameTable<Void>()
            for tensor in tensors where !seen.append(tensor.name, ()) {
                throw CheckpointError(path, "two tensors have the name \(quoted(tensor.name)); rename one")
            }
            var map = JSONObject()
            for (i, shard) in shards.enumerated() {
                let file = names.shard(i + 1, of: shards.count)
                try SafetensorsWriter(shard, metadata: metadata).write(to: "\(path)/\(file)")
                written.insert(file)
                for tensor in shard { map[tensor.name] = .string(file) }
            }
            let size = tensors.reduce(0) { $0 + $1.byteCount }
            try write(
                ["metadata": ["total_size": .integer(size)], "weight_map": .object(map)], to: names.index)
            written.insert(names.index)
        }
        let old = fileNames().filter { $0 == names.single || $0 == names.index || names.isShard($0) }
        for file in old where !written.contains(file) {
            try FileManager.default.removeItem(atPath: "\(path)/\(file)")
        }
    }

    private func split(_ tensors: [DeferredTensor], _ limit: Int) -> [[DeferredTensor]] {
        var full: [[DeferredTensor]] = []
        var current: [DeferredTensor] = []
        var size = 0
        for tensor in tensors {
            let count = tensor.byteCount
            guard count <= limit else {
                full.append([tensor])
                continue
            }
            if size + count > limit {
                full.append(current)
                current = []
                size = 0
            }
            current.append(tensor)
            size += count
        }
        return current.isEmpty ? full : full + [current]
    }

    private func makeFolder() throws {
        do {
            try Files.createFolder(path)
        } catch {
            throw CheckpointError(path, "the folder cannot be made: \(error.reason)")
        }
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The names in the folder, sorted; none when it cannot be read.
    private func fileNames() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.sorted(by: byteOrder)
    }
}

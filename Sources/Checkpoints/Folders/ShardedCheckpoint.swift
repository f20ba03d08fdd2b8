import Layers
import Storage
import Tensors

/// A checkpoint in several safetensors files with an index, as one source of tensors.
///
/// The index is JSON: `{"metadata": {…}, "weight_map": {"name of a tensor": "name of a file"}}`
/// (the layout of diffusers and transformers). Index and files must agree exactly.
public struct ShardedCheckpoint: TensorSource {
    /// The path of the index as it was given.
    public let path: String
    /// The names of the files, in the order in which the index first mentions them.
    public var fileNames: [String] { shards.names }
    /// What the index says under `metadata`, such as `total_size`.
    public let metadata: JSONObject
    private let shards: NameTable<SafetensorsFile>
    private let fileOfTensor: NameTable<SafetensorsFile>

    /// Opens an index and every file that it names.
    ///
    /// - Parameter index: the path of a `*.safetensors.index.json`; the files stand beside it.
    /// - Throws: `CheckpointError` when the index is malformed, names a file that is missing, damaged or
    ///   elsewhere, or when a tensor is missing, stands in two files or is absent from the index.
    public init(index: String, storage: SafetensorsFile.Storage = .mapped) throws {
        guard let root = JSONObject(json: try JSONValue(file: index)) else {
            throw CheckpointError(index, "the index must be an object")
        }
        let map: JSONObject = try root.required("weight_map")
        let folder = index.lastIndex(of: "/").map { String(index[...$0]) } ?? ""
        var shards = NameTable<SafetensorsFile>()
        for name in map.keys {
            let file: String = try map.required(name)
            guard shards.position(of: file) == nil else { continue }
            guard isPlainFileName(file) else {
                throw CheckpointError(
                    index,
                    "the tensor \(quoted(name)) is listed as in \(quoted(file)); only a "
                        + "safetensors file beside the index may be named")
            }
            shards.append(file, try SafetensorsFile(path: folder + file, storage: storage))
        }
        fileOfTensor = try Self.match(map, shards, index)
        metadata = try root.optional("metadata") ?? JSONObject(place: index)
        self.shards = shards
        path = index
    }

    /// The file of every tensor, when the index and the files agree.
    private static func match(
        _ map: JSONObject, _ shards: NameTable<SafetensorsFile>, _ index: String
    ) throws -> NameTable<SafetensorsFile> {
        var files = NameTable<SafetensorsFile>()
        var missing: [String] = []
        for name in map.keys {
            let file: String = try map.required(name)
            guard let shard = shards[file], shard.header.entries[name] != nil else {
                missing.append(name)
                continue
            }
            files.append(name, shard)
        }
        guard missing.isEmpty else {
            throw CheckpointError(index, "tensors are not in the files named for them: \(listed(missing))")
        }
        var unlisted: [String] = []
        var homes = NameTable<String>()
        for (file, shard) in shards {
            for name in shard.names {
                guard homes.append(name, file) else {
                    throw CheckpointError(
                        index,
                        "the tensor \(quoted(name)) is in both \(quoted(homes[name] ?? "")) and "
                            + "\(quoted(file))")
                }
                if files[name] == nil { unlisted.append(name) }
            }
        }
        guard unlisted.isEmpty else {
            throw CheckpointError(
                index, "the files hold tensors that the index does not: \(listed(unlisted))")
        }
        return files
    }

    /// Every tensor's name, in the order of the index.
    public var names: [String] { fileOfTensor.names }

    /// The paths of the shards, in the order in which the index first mentions them.
    public var files: [String] { shards.values.map(\.path) }

    /// A tensor's shape, nil when there is none of that name.
    public func shape(of name: String) -> Shape? { fileOfTensor[name]?.shape(of: name) }

    /// A tensor's element type, nil when there is none of that name or no tensor can hold the type.
    public func elementType(of name: String) -> ElementType? { fileOfTensor[name]?.elementType(of: name) }

    /// A tensor on the CPU that shares its file's memory.
    /// - Throws: `CheckpointError` when there is none of that name or its type is not supported.
    public func tensor(named name: String) throws -> Tensor {
        guard let file = fileOfTensor[name] else {
            throw CheckpointError(path, "there is no tensor \(quoted(name)) in it")
        }
        return try file.tensor(named: name)
    }

    /// How many numbers of all files are infinite or NaN. Reads every byte of them.
    public func nonFiniteCount() -> Int { shards.values.reduce(0) { $0 + $1.nonFiniteCount() } }
}

/// Whether a name from an index is that of a safetensors file in the same folder, on any system.
private func isPlainFileName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    let forbidden: Set<UInt8> = [0, UInt8(ascii: "/"), .backslash, .colon]
    return bytes.count > ".safetensors".utf8.count && name.hasSuffix(".safetensors")
        && bytes.first != .point && !bytes.contains(where: forbidden.contains)
}

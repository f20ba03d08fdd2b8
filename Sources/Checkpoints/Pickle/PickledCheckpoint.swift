import Layers
import Storage
import Tensors

/// The tensors of a file that PyTorch wrote (`.ckpt`, `.pt`, `.pth`, `.bin`), read without running the
/// pickle in it.
///
/// Only a fixed set of instructions and classes is understood; see `PickleMachine` and `PickleGlobal`. Use it
/// to convert such a file once: programs that sample, train or serve take safetensors only.
public struct PickledCheckpoint: TensorSource {
    /// The path as it was given.
    public let path: String
    /// What stands in the file beside the tensors that are on offer, each with what it is.
    public let skipped: [String]
    private let tensors: NameTable<Int>
    private let graph: PickleGraph
    private let storages: [ZipArchive.Entry]
    private let bytes: FileBytes

    /// Opens a file and reads its pickle.
    ///
    /// - Parameters:
    ///   - entry: which of several dictionaries of tensors is meant, such as `ema`. Without it the weights of
    ///     `state_dict` are taken where there are any, otherwise the only dictionary that holds tensors.
    ///   - storage: whether the tensors' bytes are mapped or read.
    /// - Throws: `CheckpointError` when it is no such file, is damaged, names what could do harm, or holds
    ///   several dictionaries and `entry` does not say which.
    public init(
        path: String, entry: String? = nil, storage: SafetensorsFile.Storage = .mapped
    ) throws {
        let format = try CheckpointFormat(of: path)
        let file = try RegularFile(opening: path)
        let value: PickleValue
        let entries: NameTable<ZipArchive.Entry>
        switch format {
        case .safetensors, .gguf:
            throw CheckpointError(path, "this is a \(format.rawValue) file, and no pickle")
        case .torchArchive:
            let archive = try TorchArchive(file)
            (value, graph, entries) = (archive.value, archive.graph, archive.entries)
        case .torchLegacy:
            let legacy = try LegacyTorchFile(file)
            (value, graph, entries) = (legacy.value, legacy.graph, legacy.entries)
        }
        storages = try Self.match(graph, entries, path)
        (tensors, skipped) = try graph.weights(value, entry: entry, place: path)
        bytes = try file.bytes(from: 0, storage)
        self.path = path
    }

    /// The bytes of every storage, checked against the sizes that the pickle gives.
    private static func match(
        _ graph: PickleGraph, _ entries: NameTable<ZipArchive.Entry>, _ path: String
    ) throws -> [ZipArchive.Entry] {
        var known = NameTable<PickledStorage>()
        return try graph.storages.map { storage in
            let name = quoted(storage.key)
            guard let entry = entries[storage.key] else {
                throw CheckpointError(path, "the storage \(name) is missing in it; fetch it again")
            }
            guard known.append(storage.key, storage) || known[storage.key] == storage else {
                throw CheckpointError(path, "the storage \(name) is described in two ways")
            }
            if let type = storage.elementType {
                let (size, overflow) = storage.count.multipliedReportingOverflow(by: type.byteCount)
                guard !overflow, size == entry.byteCount else {
                    throw CheckpointError(
                        path,
                        "the storage \(name) has \(entry.byteCount) bytes, which \(storage.count) elements "
                            + "of \(type.name) do not fill")
                }
            }
            return entry
        }
    }

    /// Every tensor's name, in the order of the file.
    public var names: [String] { tensors.names }

    /// The file's path.
    public var files: [String] { [path] }

    /// A tensor's shape, nil when there is none of that name.
    public func shape(of name: String) -> Shape? { tensors[name].map { Shape(graph.tensors[$0].shape) } }

    /// A tensor's element type, nil when there is none of that name or no tensor can hold the type.
    public func elementType(of name: String) -> ElementType? {
        tensors[name].flatMap {
            let storage = graph.storages[graph.tensors[$0].storage]
            return storage.float8Values == nil ? storage.elementType : .float32
        }
    }

    /// A tensor on the CPU. It shares the file's memory where its elements lie there row by row, aligned and
    /// not packed, and is a copy elsewhere.
    /// - Throws: `CheckpointError` when there is none of that name, its type is not supported, or its bytes
    ///   cannot be unpacked.
    public func tensor(named name: String) throws -> Tensor {
        guard let index = tensors[name] else {
            throw CheckpointError(path, "there is no tensor \(quoted(name)) in it")
        }
        let window = graph.tensors[index]
        let storage = graph.storages[window.storage]
        guard let type = storage.elementType else {
            throw CheckpointError(
                path,
                "the tensor \(quoted(name)) is kept in a \(storage.typeName), which this program cannot "
                    + "hold; convert it to float32")
        }
        let tensor = try tensor(window, type, storages[window.storage], storage.key)
        if let failure = tensor.failure {
            throw CheckpointError(path, "the tensor \(quoted(name)) cannot be made: \(failure)")
        }
        guard let values = storage.float8Values else { return tensor }
        return Tensor(try tensor.array(of: UInt8.self).map { values[Int($0)] }, shape: tensor.shape)
    }

    private func tensor(
        _ window: PickledTensor, _ type: ElementType, _ entry: ZipArchive.Entry, _ key: String
    ) throws -> Tensor {
        let shape = Shape(window.shape)
        guard window.elementCount > 0 else { return .zeros(shape, type) }
        if entry.isDeflated {
            let stored = Array(UnsafeRawBufferPointer(memory(entry.offset, entry.storedByteCount)))
            let unpacked = try entry.unpacked(stored, key, place: path)
            return try unpacked.withUnsafeBytes { bytes in
                try entry.verify(bytes, key, place: path)
                return window.cut(
                    from: Tensor(bytes: bytes, shape: [bytes.count / type.byteCount], elementType: type))
            }
        }
        let isWhole = window.isContiguous
        let elements =
            isWhole
            ? window.offset..<(window.offset + window.elementCount) : 0..<(entry.byteCount / type.byteCount)
        let start = entry.offset + elements.lowerBound * type.byteCount
        let flat = bytes.tensor(
            start..<(start + elements.count * type.byteCount), [elements.count], type)
        return isWhole ? flat.reshaped(shape) : window.cut(from: flat)
    }

    private func memory(_ offset: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: bytes.buffer[offset..<(offset + count)])
    }

    /// Reads every tensor's bytes and compares them with their checksums, where the file has any.
    /// - Throws: `CheckpointError` that names what is damaged.
    public func verify() throws {
        var seen: Set<Int> = []
        for (storage, entry) in zip(graph.storages, storages) where seen.insert(entry.offset).inserted {
            guard !entry.isDeflated else { continue }  // compared whenever it is unpacked
            try entry.verify(
                UnsafeRawBufferPointer(memory(entry.offset, entry.byteCount)), storage.key, place: path)
        }
    }
}

extension PickledTensor {
    /// Whether its elements lie row by row without gaps.
    fileprivate var isContiguous: Bool {
        var expected = 1
        for (extent, stride) in zip(shape, strides).reversed() where extent != 1 {
            guard stride == expected else { return false }
            expected *= extent
        }
        return true
    }

    /// This window of its whole storage, in memory of its own.
    fileprivate func cut(from storage: Tensor) -> Tensor {
        storage.window(Shape(shape), strides: strides, offset: offset).copied().contiguous()
    }
}

/// The pickle of an archive, and where its storages lie.
private struct TorchArchive {
    let value: PickleValue
    let graph: PickleGraph
    private(set) var entries = NameTable<ZipArchive.Entry>()

    init(_ file: RegularFile) throws {
        let archive = try ZipArchive(file)
        let pickles = archive.entries.names.filter { name in
            name.hasSuffix("/data.pkl") && name.utf8.count(where: { $0 == UInt8(ascii: "/") }) == 1
        }
        guard let pickle = pickles.first, pickles.count == 1 else {
            throw CheckpointError(
                file.path,
                "this zip archive is no file of PyTorch: it holds \(pickles.count) pickles, not one")
        }
        let folder = pickle.dropLast("data.pkl".utf8.count)
        guard !archive.entries.names.contains(where: { $0.hasPrefix(folder + "code/") }) else {
            throw CheckpointError(
                file.path, "this is a program (TorchScript), not weights; save its state_dict")
        }
        let order = "\(folder)byteorder"
        if archive.entries[order] != nil,
            try archive.contents(of: order, limit: 16) != Array("little".utf8)
        {
            throw CheckpointError(file.path, "it was written on a big-endian machine; save it on another one")
        }
        let text = try archive.contents(of: pickle, limit: PickleMachine.maximalByteCount)
        var machine = PickleMachine(text[...], place: file.path)
        value = try machine.run()
        guard machine.position == text.count else {
            throw CheckpointError(file.path, "bytes follow the end of its pickle")
        }
        graph = machine.graph
        for (name, entry) in archive.entries where name.hasPrefix(folder + "data/") {
            entries.append(String(name.dropFirst(folder.count + 5)), entry)
        }
    }
}

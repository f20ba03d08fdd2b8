import Storage

/// A file as PyTorch wrote it before 1.6: pickles of a magic number, a version, facts about the machine,
/// the value and the keys of its storages, then every storage as a count (8 bytes) and its elements.
struct LegacyTorchFile {
    /// The first bytes of such a file: the pickle of its magic number.
    static var magic: [UInt8] { legacyTorchMagic }

    let value: PickleValue
    let graph: PickleGraph
    /// Where the bytes of each storage lie, by its key.
    private(set) var entries = NameTable<ZipArchive.Entry>()

    /// Reads the pickles and finds the storages.
    /// - Throws: `CheckpointError` where the file is damaged or asks for something that weights do not need.
    init(_ file: RegularFile) throws {
        let start = try file.read(min(file.byteCount, PickleMachine.maximalByteCount), at: 0)
        var machine = PickleMachine(start[Self.magic.count...], place: file.path)
        guard case .integer(1001) = try machine.run() else {
            throw CheckpointError(file.path, "its version is none that PyTorch has written; fetch it again")
        }
        let facts = try machine.run()
        guard try Self.isLittleEndian(facts, machine.graph) else {
            throw CheckpointError(file.path, "it was written on a big-endian machine; save it on another one")
        }
        value = try machine.run()
        guard case .sequence(let keys) = try machine.run() else {
            throw CheckpointError(file.path, "the list of its storages is missing; fetch it again")
        }
        graph = machine.graph
        var types = NameTable<PickledStorage>()
        for storage in graph.storages { types.append(storage.key, storage) }
        var offset = machine.position
        for key in graph.sequences[keys] {
            guard case .text(let key) = key, let storage = types[key], let type = storage.elementType else {
                throw CheckpointError(file.path, "it has a storage that no tensor of a known type uses")
            }
            guard file.byteCount - offset >= 8 else { throw Self.cutShort(file) }
            var reader = LittleEndianReader(try file.read(8, at: offset)[...])
            guard try reader.size(8) == storage.count else {
                throw CheckpointError(
                    file.path, "the storage \(quoted(key)) has two sizes; fetch the file again")
            }
            let (byteCount, overflow) = storage.count.multipliedReportingOverflow(by: type.byteCount)
            guard !overflow, byteCount <= file.byteCount - offset - 8 else { throw Self.cutShort(file) }
            let entry = ZipArchive.Entry(
                offset: offset + 8, storedByteCount: byteCount, byteCount: byteCount, isDeflated: false,
                checksum: 0)
            guard entries.append(key, entry) else {
                throw CheckpointError(file.path, "the storage \(quoted(key)) stands twice in it")
            }
            offset += 8 + byteCount
        }
        guard offset == file.byteCount else {
            throw CheckpointError(file.path, "\(file.byteCount - offset) bytes follow its last storage")
        }
    }

    private static func cutShort(_ file: RegularFile) -> CheckpointError {
        CheckpointError(file.path, "it ends within a storage: it was cut short; fetch it again")
    }

    private static func isLittleEndian(_ facts: PickleValue, _ graph: PickleGraph) throws -> Bool {
        guard case .dictionary(let index) = facts else { return false }
        return graph.dictionaries[index].contains { key, value in
            if case .text("little_endian") = key, case .bool(true) = value { true } else { false }
        }
    }
}

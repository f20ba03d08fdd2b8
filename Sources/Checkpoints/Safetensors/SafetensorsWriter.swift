import Storage
import Tensors

/// Writes tensors as a safetensors file. Equal tensors and metadata give equal bytes.
///
/// The order is the reference implementation's: types of larger alignment first, then names by their
/// bytes, so that every tensor of the file is aligned. The header is padded with spaces to a multiple
/// of 8 bytes. Tensors are written one after the other from their own memory.
public struct SafetensorsWriter {
    /// The most bytes that a file written here has: header and data.
    public let byteCount: Int
    private let header: [UInt8]
    private let tensors: [DeferredTensor]

    /// Lays out a file.
    ///
    /// - Parameters:
    ///   - tensors: names and tensors in any order, on any device.
    ///   - metadata: free texts; `["format": "pt"]` is what PyTorch libraries expect.
    /// - Throws: `CheckpointError` for repeated or reserved names, tensors without values, and headers
    ///   above the format's limit; the error of a tensor that carries one.
    public init(_ tensors: some Sequence<(String, Tensor)>, metadata: [String: String] = [:]) throws {
        try self.init(tensors.map { try DeferredTensor($0, $1) }, metadata: metadata)
    }

    /// Lays out a file of tensors that are made one after the other while it is written.
    package init(_ tensors: [DeferredTensor], metadata: [String: String]) throws {
        var seen = NameTable<Void>()
        var rows: [(tensor: DeferredTensor, rank: Int)] = []
        for tensor in tensors {
            guard !sameBytes(tensor.name, "__metadata__") else {
                throw CheckpointError("", "no tensor can have the name \"__metadata__\"; rename it")
            }
            guard seen.append(tensor.name, ()) else {
                throw CheckpointError("", "two tensors have the name \(quoted(tensor.name)); rename one")
            }
            let type = SafetensorsType(tensor.elementType)
            rows.append((tensor, SafetensorsType.allCases.firstIndex(of: type) ?? 0))
        }
        rows.sort {
            $0.rank == $1.rank ? byteOrder($0.tensor.name, $1.tensor.name) : $0.rank > $1.rank
        }
        self.tensors = rows.map(\.tensor)

        var members: [String] = []
        if !metadata.isEmpty {
            let texts = metadata.sorted { byteOrder($0.key, $1.key) }
                .map { "\(jsonString($0.key)):\(jsonString($0.value))" }
            members.append(#""__metadata__":{\#(texts.joined(separator: ","))}"#)
        }
        var offset = 0
        for tensor in self.tensors {
            let type = SafetensorsType(tensor.elementType).rawValue
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            let end = offset + tensor.byteCount
            members.append(
                #"\#(jsonString(tensor.name)):{"dtype":"\#(type)","shape":[\#(shape)],"#
                    + #""data_offsets":[\#(offset),\#(end)]}"#)
            offset = end
        }
        var header = Array("{\(members.joined(separator: ","))}".utf8)
        header += [UInt8](repeating: .space, count: (8 - header.count % 8) % 8)
        guard header.count <= SafetensorsHeader.maximalByteCount else {
            throw CheckpointError(
                "",
                "the header would have \(header.count) bytes, more than the format allows; "
                    + "write fewer tensors a file")
        }
        self.header = header
        byteCount = 8 + header.count + offset
    }

    /// Writes the file aside, syncs it and puts it in place, so that its name never holds half of it.
    /// - Throws: `FileError` when it cannot be written; nothing is left behind then.
    public func write(to path: String) throws {
        let file = try AtomicFile(path)
        try write { try file.write($0) }
        try file.commit()
    }

    /// The bytes of the file.
    /// - Throws: the error of a tensor whose values cannot be read.
    public func bytes() throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        try write { bytes.append(contentsOf: $0) }
        return bytes
    }

    private func write(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        try withUnsafeBytes(of: UInt64(header.count).littleEndian, write)
        try header.withUnsafeBytes(write)
        for tensor in tensors { try tensor.made().withBytes(write) }
    }
}

import Storage
import Tensors

extension RegularFile {
    /// The bytes from `offset` to the end, as a checkpoint is to have them.
    func bytes(from offset: Int, _ storage: SafetensorsFile.Storage) throws -> FileBytes {
        switch storage {
        case .mapped: try mapped(from: offset)
        case .copied: try copied(from: offset)
        }
    }
}

extension FileBytes {
    /// A tensor on the CPU over some of the bytes, row by row. It shares their memory and keeps it alive; it is copied where
    /// they are not aligned for their type, and where a boolean is stored as something else than 0 or 1.
    func tensor(_ range: Range<Int>, _ shape: Shape, _ type: ElementType) -> Tensor {
        let source = UnsafeMutableRawBufferPointer(rebasing: buffer[range])
        guard let start = source.baseAddress, source.count > 0 else { return .zeros(shape, type) }
        if type == .bool, source.contains(where: { $0 > 1 }) {
            return Tensor(source.map { $0 != 0 }, shape: shape)
        }
        guard UInt(bitPattern: start) % UInt(type.byteCount) == 0 else {
            return Tensor(bytes: UnsafeRawBufferPointer(source), shape: shape, elementType: type)
        }
        return Tensor(sharing: start, shape: shape, elementType: type, isMapped: isMapped, owner: self)
    }
}

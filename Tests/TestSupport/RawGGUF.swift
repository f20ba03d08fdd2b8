/// A GGUF file, written byte by byte, as tests need it whole or damaged.
public struct RawGGUF: Sendable {
    /// A tensor: its extents the fastest first, the number of its type, where its bytes begin.
    public struct Tensor: Sendable {
        /// Its name, of any length.
        public var name: String
        /// The fastest first, as the format has them.
        public var extents: [UInt64]
        /// The number of its type in the format.
        public var type: UInt32
        /// Where its bytes begin, counted from the end of the header.
        public var offset: UInt64

        /// A tensor of float32 unless its type says otherwise.
        public init(_ name: String, _ extents: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
            (self.name, self.extents, self.type, self.offset) = (name, extents, type, offset)
        }
    }

    /// The version of the format.
    public var version: UInt32 = 3
    /// The number of tensors that the file claims; the true one unless set.
    public var claimedTensors: UInt64?
    /// The number of metadata that the file claims; the true one unless set.
    public var claimedFields: UInt64?
    /// Metadata as the bytes that follow their names.
    public var fields: [(name: String, value: [UInt8])] = []
    /// What the header describes.
    public var tensors: [Tensor] = []
    /// What follows the header and its padding to 32 bytes.
    public var data: [UInt8] = []

    /// A file of version 3 without metadata.
    public init(_ tensors: [Tensor] = [], data: [UInt8] = []) {
        (self.tensors, self.data) = (tensors, data)
    }

    /// The whole file.
    public var bytes: [UInt8] {
        var bytes = Array("GGUF".utf8) + littleEndian(version)
        bytes += littleEndian(claimedTensors ?? UInt64(tensors.count))
        bytes += littleEndian(claimedFields ?? UInt64(fields.count))
        for (name, value) in fields { bytes += text(name) + value }
        for tensor in tensors {
            bytes += text(tensor.name) + littleEndian(UInt32(tensor.extents.count))
            for extent in tensor.extents { bytes += littleEndian(extent) }
            bytes += littleEndian(tensor.type) + littleEndian(tensor.offset)
        }
        bytes += [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32)
        return bytes + data
    }

    /// A text with its length before it.
    public func text(_ text: String) -> [UInt8] { littleEndian(UInt64(text.utf8.count)) + text.utf8 }

    /// The bytes of a number.
    public func littleEndian(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian, Array.init)
    }
}

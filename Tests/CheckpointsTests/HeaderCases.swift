/// Files of the safetensors format, written byte by byte, as the tests need them damaged.
struct RawFile {
    var header: [UInt8]
    var data: [UInt8]
    /// The length that the file claims for its header; the true one unless set.
    var claimed: UInt64?

    init(_ header: String, data: Int = 0) {
        self.header = Array(header.utf8)
        self.data = [UInt8](repeating: 0, count: data)
    }

    init(header: [UInt8], data: Int = 0, claimed: UInt64? = nil) {
        self.header = header
        self.data = [UInt8](repeating: 0, count: data)
        self.claimed = claimed
    }

    var bytes: [UInt8] {
        let length = claimed ?? UInt64(header.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + header + data
    }
}

/// A scalar of 4 bytes at the start of the data.
let scalar = #"{"dtype":"F32","shape":[],"data_offsets":[0,4]}"#

/// An entry with the parts given as they shall stand in the text.
func entry(_ shape: String, _ offsets: String, _ dtype: String = #""F32""#) -> String {
    #"{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}"#
}

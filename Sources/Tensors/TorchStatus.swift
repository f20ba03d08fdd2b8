import CTorch

/// Reads what a call through the door reported. Every status passes here and nowhere else.
func check(_ status: CTStatus, _ operation: @autoclosure () -> String = "") throws {
    guard status.code != CT_OK.rawValue else { return }
    defer { ct_free(status.message) }
    let text = status.message.map { String(cString: $0) } ?? "libtorch failed without a message"
    let kind: TensorError.Kind =
        switch status.code {
        case Int32(CT_OUT_OF_MEMORY.rawValue): .outOfMemory
        case Int32(CT_UNAVAILABLE.rawValue): .unavailable
        default: .operation
        }
    if kind == .outOfMemory {
        let needed = MemorySize(allocatorMessage: text).map { ": \($0) more were needed in one piece" } ?? ""
        throw TensorError(
            kind, "the memory does not suffice\(needed); ask for less at once, or for smaller pictures")
    }
    if text.contains("cannot be converted to type"), text.contains("without overflow") {
        throw TensorError(
            kind,
            "a number is too large for the precision of this computation; use float64, or a process with smaller numbers"
        )
    }
    let name = operation()
    throw TensorError(kind, name.isEmpty ? text : "\(name): \(text)")
}

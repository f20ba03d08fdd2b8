/// Why a tensor could not be computed.
public struct TensorError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Kind: Sendable {
        /// An operation refused its arguments.
        case operation
        /// There was not enough memory.
        case outOfMemory
        /// A device or feature is not present on this machine.
        case unavailable
    }

    /// What kind of failure it was.
    public let kind: Kind
    /// One or more sentences, libtorch's own where it spoke.
    public let message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

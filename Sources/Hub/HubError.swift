import Storage

/// Why a model of the hub cannot be had: one sentence that says what, where, and what to do. It never holds the token.
public struct HubError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The sentence.
    public let description: String
    /// Whether the request is at fault (a name, a revision, a missing right) and not the connection or the server.
    public let isOfInput: Bool

    /// An error about what was requested.
    static func input(_ sentence: String) -> HubError { HubError(description: sentence, isOfInput: true) }

    /// An error of the connection, the server or the machine.
    static func failure(_ sentence: String) -> HubError { HubError(description: sentence, isOfInput: false) }
}

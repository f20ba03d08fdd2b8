import Storage

/// Why a model of the hub cannot be had: one sentence that says what, where, and what to do. It never holds the token.
public struct HubError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The sentence.
    public let description: String
    /// Whether the request is at fault (a name, a revision, a missing right) and not the connection or the server.
    public let isOfInput: Bool

    /// Whether nothing is known of the model, so that its name may be a path that was mistyped.
    package var isOfUnknownModel = false

    /// The same error, and what else is to be known, after a semicolon.
    package func adding(_ words: String) -> HubError {
        HubError(description: "\(description); \(words)", isOfInput: isOfInput)
    }

    /// An error about what was requested.
    static func input(_ sentence: String) -> HubError { HubError(description: sentence, isOfInput: true) }

    /// An error of the connection, the server or the machine.
    static func failure(_ sentence: String) -> HubError { HubError(description: sentence, isOfInput: false) }

    /// This error, of a model of which nothing is known.
    var ofUnknownModel: HubError {
        var error = self
        error.isOfUnknownModel = true
        return error
    }
}

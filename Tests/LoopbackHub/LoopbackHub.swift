import Foundation
import Synchronization

/// A hub on the loopback address, as much of one as a client needs: the list of a model's files, and the files, large ones
/// from a second server that the first one leads to. It misbehaves where a test wants it to.
public final class LoopbackHub: Sendable {
    /// A request as it arrived.
    public struct Request: Sendable {
        /// `GET` or `HEAD`.
        public let method: String
        /// What follows the address, without what is behind a `?`.
        public let path: String
        /// Headers by their names in lower case.
        public let headers: [String: String]
        /// Whether it came to the second server.
        public let isOfContents: Bool

        /// The first byte that is wanted; `nil` for all.
        public var start: Int? {
            headers["range"].flatMap { Int($0.dropFirst("bytes=".count).prefix { $0 != "-" }) }
        }
    }

    /// What a hub does to the requests whose path ends with a text.
    public struct Rule: Sendable {
        /// What the path ends with.
        let ending: String
        /// How many of them.
        var count: Int
        /// What happens to them.
        let fault: Fault
        /// The method that they must have; any where `nil`.
        let method: String?

        /// A rule for the next `count` requests.
        public init(_ ending: String, _ fault: Fault, count: Int = .max, method: String? = nil) {
            (self.ending, self.fault, self.count, self.method) = (ending, fault, count, method)
        }

        func fits(_ request: Request) -> Bool {
            count > 0 && request.path.hasSuffix(ending) && (method ?? request.method) == request.method
        }
    }

    /// The address of the hub, as `HF_ENDPOINT` has it.
    public let address: String
    /// The commit of its revision `main`.
    public let commit: String
    let model: String
    let token: String?
    let files: [String: HubFile]
    let contents: String

    private struct State {
        var requests: [Request] = []
        var rules: [Rule] = []
        var isDown = false
    }

    private let state = Mutex(State())
    private let sockets: [Int32]

    /// Opens a hub with one model.
    /// - Parameters:
    ///   - files: the bytes of the model's files.
    ///   - token: what requests must bring, where the model is gated.
    public init(
        _ model: String = "org/name", _ files: [String: [UInt8]],
        commit: String = "0123456789abcdef0123456789abcdef01234567", token: String? = nil
    ) throws {
        let own = try ListeningSocket()
        let other = try ListeningSocket()
        (self.model, self.commit, self.token) = (model, commit, token)
        self.files = files.mapValues { HubFile($0) }
        address = "http://127.0.0.1:\(own.port)"
        contents = "http://127.0.0.1:\(other.port)"
        sockets = [own.socket, other.socket]
        for (socket, isOfContents) in [(own.socket, false), (other.socket, true)] {
            Thread.detachNewThread { [weak self] in
                while case let connection = accept(socket, nil, nil), connection >= 0 {
                    guard let self, !self.state.withLock({ $0.isDown }) else {
                        close(connection)
                        continue
                    }
                    Thread.detachNewThread { [weak self] in
                        HubConnection(connection).serve { self?.answer($0, isOfContents) }
                    }
                }
            }
        }
    }

    deinit {
        for socket in sockets {
            shutdown(socket, Int32(SHUT_RDWR))
            close(socket)
        }
    }

    /// What came so far.
    public var requests: [Request] { state.withLock { $0.requests } }

    /// Forgets what came so far, and all rules.
    public func reset() {
        state.withLock { ($0.requests, $0.rules) = ([], []) }
    }

    /// Sets what happens from now on.
    public func set(_ rules: Rule...) {
        state.withLock { $0.rules = rules }
    }

    /// Answers nobody any more, or everybody again.
    public func setDown(_ isDown: Bool) {
        state.withLock { $0.isDown = isDown }
    }

    private func answer(
        _ words: (method: String, path: String, headers: [String: String]), _ isOfContents: Bool
    )
        -> HubResponse?
    {
        let request = Request(
            method: words.method, path: words.path, headers: words.headers, isOfContents: isOfContents)
        let (fault, isDown) = state.withLock { state in
            state.requests.append(request)
            guard let first = state.rules.firstIndex(where: { $0.fits(request) }) else {
                return (nil as Fault?, state.isDown)
            }
            if state.rules[first].count < .max { state.rules[first].count -= 1 }
            return (state.rules[first].fault, state.isDown)
        }
        guard !isDown else { return nil }
        let response = response(to: request)
        return fault?.changed(response, to: request, self) ?? response
    }
}

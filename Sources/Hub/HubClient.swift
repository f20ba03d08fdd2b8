import Foundation
import Storage

/// Requests to the hub: redirects are followed, the token goes to the hub alone, and refusals become sentences.
final class HubClient {
    let settings: HubSettings
    private let connection: HTTPConnection

    /// A hub's largest list of files, and much more than that of any model.
    private static let largestText = JSONValue.maximalFileByteCount
    private static let mostRedirects = 10

    init(_ settings: HubSettings) throws(HubError) {
        self.settings = settings
        connection = try HTTPConnection(settings)
    }

    /// A refusal that may be none later.
    struct PassingAnswer: Error {
        let head: HTTPHead
    }

    /// A file that is listed and not there.
    struct MissingFile: Error {
        let error: HubError
    }

    /// What a file is on the hub.
    struct FileFacts: Sendable {
        /// The file's tag, which its blob is called by: a sha256, or the id that git has for it.
        let tag: String
        /// Its size in bytes; `nil` where the server does not say.
        let byteCount: Int?
        /// Whether the hub itself says so, as it does of large files.
        let isSizeCertain: Bool
    }

    /// A model's files at a commit.
    struct Listing: Sendable {
        let commit: String
        let files: [String]
    }

    // MARK: Requests

    /// Which commit a revision is, and what files it has.
    /// - Throws: `TransferFailure` and `PassingAnswer` where a repetition may help; `HubError`.
    func listing(_ model: HubReference) throws -> Listing {
        let path = "api/models/\(model.name)/revision/\(Self.escaped(model.revision))"
        var text: [UInt8] = []
        _ = try send(.init(url: url(path), headers: ["Accept: application/json"], seconds: 120)) {
            try self.check($0, model, nil)
            return .taken
        } onBody: { piece in
            guard text.count + piece.count <= Self.largestText else {
                throw HubError.failure(
                    "the list of files of \(model.name) is larger than any model's: check HF_ENDPOINT")
            }
            text.append(contentsOf: piece)
        }
        return try listing(of: text, model)
    }

    private func listing(of text: [UInt8], _ model: HubReference) throws(HubError) -> Listing {
        let place = "the answer of \(settings.hub) about \(model.name)"
        if mistakenFile(text) != nil {
            throw .failure(
                "\(place) is a web page or another file, and no list of files: check HF_ENDPOINT, and whether a proxy stands between"
            )
        }
        do {
            guard let object = JSONObject(json: try JSONValue(parsing: text, place: place)) else {
                throw ContentError(place, "it must be an object")
            }
            let commit = try object.required("sha", as: String.self)
            guard HubReference.isCommit(commit) else {
                throw ContentError(place, "\(quoted(commit)) is no commit")
            }
            let files = try object.required("siblings", as: [JSONObject].self)
            return Listing(commit: commit, files: try files.map { try $0.required("rfilename") })
        } catch {
            throw .failure("\(settings.withoutToken("\(error)")): check HF_ENDPOINT")
        }
    }

    /// What the hub states about a file.
    /// - Throws: `TransferFailure` and `PassingAnswer` where a repetition may help; `HubError`.
    func facts(_ file: String, _ model: HubReference, commit: String) throws -> FileFacts {
        let address = url(of: file, model, commit)
        let headers = ["Accept-Encoding: identity"]
        var answer = try send(.init(method: "HEAD", url: address, headers: headers, seconds: 120)) { _ in
            .passedOver
        }
        if [400, 403, 405, 501].contains(answer.last.status), answer.hub["X-Error-Code"] == nil {
            // Some servers and proxies refuse requests for the head alone.
            answer = try send(.init(url: address, headers: headers, seconds: 120)) { _ in .leftOut }
        }
        if !answer.last.isRedirect { try check(answer, model, file) }
        let place = "\(printable(file)) of \(model.name)"
        if let commitThere = answer["X-Repo-Commit"], commitThere != commit {
            throw HubError.failure("\(place) is of another commit at \(settings.hub): try again")
        }
        guard let tag = answer.tag else {
            throw HubError.failure(
                "\(settings.hub) gave no ETag for \(place): check HF_ENDPOINT, and whether a proxy stands between"
            )
        }
        guard Self.isTag(tag) else {
            throw HubError.failure(
                "the ETag of \(place), \(quoted(tag)), can be no file's name: check HF_ENDPOINT")
        }
        return FileFacts(
            tag: tag, byteCount: answer.byteCount, isSizeCertain: answer["X-Linked-Size"] != nil)
    }

    /// Sends for a file's bytes from one of them on.
    /// - Throws: `TransferFailure` and `PassingAnswer` where a repetition may help; `HubError`; what the bodies throw.
    func download(
        _ file: String, _ model: HubReference, commit: String, from start: Int,
        onHead: @escaping HTTPConnection.OnHead, onBody: @escaping HTTPConnection.OnBody
    ) throws {
        var headers = ["Accept-Encoding: identity"]
        if start > 0 { headers.append("Range: bytes=\(start)-") }
        _ = try send(.init(url: url(of: file, model, commit), headers: headers)) { answer in
            if answer.last.status != 416 { try self.check(answer, model, file) }
            return try onHead(answer.last)
        } onBody: {
            try onBody($0)
        }
    }

    /// Throws where an answer is a refusal.
    private func check(_ answer: HubAnswer, _ model: HubReference, _ file: String?) throws {
        if answer.last.isPassing { throw PassingAnswer(head: answer.last) }
        guard let refusal = HubRefusal(answer, model, file, settings) else { return }
        if refusal.isOfMissingFile { throw MissingFile(error: refusal.error) }
        throw refusal.error
    }

    /// Repeats a small request that fails for a passing reason.
    /// - Parameter isPatient: whether it is repeated at all.
    func repeating<Value>(_ what: String, isPatient: Bool = true, _ request: () throws -> Value) throws
        -> Value
    {
        var repetition = Repetition(settings)
        while true {
            let (error, wish): (HubError, Double?)
            do {
                return try request()
            } catch let failure as TransferFailure {
                error =
                    HubError.failure(
                        "\(settings.hub) cannot be reached for \(what): \(failure.reason); check the connection, or HF_ENDPOINT"
                    ).ofUnknownModel
                guard failure.isPassing else { throw error }
                wish = nil
            } catch let answer as PassingAnswer {
                error = .failure(
                    "\(settings.hub) answers with the status \(answer.head.status) for \(what): try again later"
                )
                wish = answer.head.retryAfter()
            }
            guard isPatient, repetition.waits(wish: wish) else { throw error }
        }
    }

    // MARK: Addresses

    private func url(_ path: String) -> URL {
        // Each part of the path is escaped by now.
        URL(string: "\(settings.endpoint.absoluteString)/\(path)") ?? settings.endpoint
    }

    private func url(of file: String, _ model: HubReference, _ commit: String) -> URL {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false).map(Self.escaped)
        return url("\(model.name)/resolve/\(commit)/\(parts.joined(separator: "/"))")
    }

    private static let unescaped = CharacterSet(
        charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")

    private static func escaped(_ part: some StringProtocol) -> String {
        part.addingPercentEncoding(withAllowedCharacters: unescaped) ?? ""
    }

    /// Whether a tag can be the name of a file that leads nowhere else.
    private static func isTag(_ tag: String) -> Bool {
        !tag.isEmpty && tag.utf8.count <= 128
            && tag.unicodeScalars.allSatisfy { unescaped.contains($0) && $0 != "." }
    }

    // MARK: Redirects

    /// Sends a request, and again to where it is led. A redirect of a request for a head ends where it leaves the hub,
    /// since addresses of other servers are signed for one kind of request.
    private func send(
        _ request: HTTPConnection.Request,
        onHead: @escaping (HubAnswer) throws -> HTTPConnection.BodyUse,
        onBody: @escaping HTTPConnection.OnBody = { _ in }
    ) throws -> HubAnswer {
        var (request, answer) = (request, HubAnswer())
        let headers = request.headers + ["User-Agent: langevin"]
        for _ in 0...Self.mostRedirects {
            let isHub = isHub(request.url)
            request.headers = headers
            if isHub, let token = settings.token { request.headers.append("Authorization: Bearer \(token)") }
            let before = answer
            let head = try connection.send(
                request,
                onHead: { head in
                    if head.isRedirect { return .passedOver }
                    return try onHead(before.followed(by: head, isHub: isHub))
                }, onBody: onBody)
            answer = before.followed(by: head, isHub: isHub)
            guard head.isRedirect else { return answer }
            request.url = try next(head, from: request.url)
            if request.method == "HEAD", !self.isHub(request.url), answer.tag != nil { return answer }
        }
        throw HubError.failure("\(settings.hub) leads in a circle: check HF_ENDPOINT")
    }

    /// Whether an address is the hub's own: the same scheme, host and port.
    private func isHub(_ url: URL) -> Bool {
        func origin(_ url: URL) -> [String] {
            let scheme = url.scheme?.lowercased() ?? ""
            return [scheme, url.host?.lowercased() ?? "", "\(url.port ?? (scheme == "https" ? 443 : 80))"]
        }
        return origin(url) == origin(settings.endpoint)
    }

    /// Where a redirect leads.
    private func next(_ head: HTTPHead, from url: URL) throws(HubError) -> URL {
        guard let text = head["Location"], let next = URL(string: text, relativeTo: url)?.absoluteURL,
            let scheme = next.scheme?.lowercased(), let host = next.host?.lowercased(), !host.isEmpty,
            ["http", "https"].contains(scheme)
        else {
            throw .failure(
                "\(settings.hub) leads to something that is no address of the web: check HF_ENDPOINT")
        }
        guard scheme == "https" || url.scheme?.lowercased() == "http" else {
            throw .failure(
                "\(settings.hub) leads to \(quoted(host)) without encryption, which is not followed: check HF_ENDPOINT"
            )
        }
        // Where clouds answer their own machines, with secrets.
        guard !host.hasPrefix("169.254."), !host.hasPrefix("fe80:"), !host.hasPrefix("[fe80:") else {
            throw .failure(
                "\(settings.hub) leads to the machine's own \(quoted(host)), which is not followed: check HF_ENDPOINT"
            )
        }
        return next
    }
}

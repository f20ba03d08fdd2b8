import Foundation
import Storage

/// Where the hub and its cache are, as the variables of the environment say that Python's `huggingface_hub` reads.
public struct HubSettings: Sendable {
    /// The hub's address, without a slash at the end (`HF_ENDPOINT`).
    public var endpoint: URL
    /// The cache's folder (`HF_HUB_CACHE`; `hub` in `HF_HOME`; `huggingface/hub` in `XDG_CACHE_HOME` or `~/.cache`).
    public var cache: String
    /// Whether nothing is requested and only the cache is used (`HF_HUB_OFFLINE`).
    public var isOffline: Bool
    /// Whether progress is shown (unless `HF_HUB_DISABLE_PROGRESS_BARS`).
    public var showsProgress: Bool
    /// Seconds without a byte after which a connection counts as broken (`HF_HUB_DOWNLOAD_TIMEOUT`).
    public var timeout: Int
    /// The file with the certificates that servers are checked against; the system's where `nil` (`SSL_CERT_FILE`).
    public var certificates: String?
    /// How often a request is repeated that failed for a passing reason and brought nothing new.
    package var retries = 4
    /// Seconds before the first repetition; each further one waits twice as long.
    package var firstPause = 0.5
    /// The longest time that is waited because a server wishes it, in seconds.
    package var longestPause = 60.0
    /// What the hub knows a person by (`HF_TOKEN`, or the file `token` in `HF_HOME`). It is in no message and no file.
    let token: String?

    /// Reads the environment.
    /// - Throws: `HubError` where a variable holds what it cannot.
    public init(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws(HubError) {
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        func path(_ names: String...) -> String? {
            guard let path = names.lazy.compactMap({ environment[$0] }).first(where: { !$0.isEmpty }) else {
                return nil
            }
            guard path == "~" || path.hasPrefix("~/"), let own = environment["HOME"] else { return path }
            return own + path.dropFirst()
        }
        let home = environment["HOME"] ?? "."
        let caches = path("XDG_CACHE_HOME") ?? "\(home)/.cache"
        let base = path("HF_HOME") ?? "\(caches)/huggingface"
        cache = path("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? "\(base)/hub"
        isOffline = Self.isTrue(value("HF_HUB_OFFLINE") ?? value("TRANSFORMERS_OFFLINE"))
        showsProgress = !Self.isTrue(value("HF_HUB_DISABLE_PROGRESS_BARS"))
        timeout = value("HF_HUB_DOWNLOAD_TIMEOUT").flatMap { Int($0) }.map { max(1, min($0, 86_400)) } ?? 10
        certificates = value("SSL_CERT_FILE", "CURL_CA_BUNDLE")
        let address = value("HF_ENDPOINT") ?? "https://huggingface.co"
        let bare = String(address.reversed().drop { $0 == "/" }.reversed())
        guard let url = URL(string: bare), ["http", "https"].contains(url.scheme), url.host?.isEmpty == false,
            url.query == nil, url.user == nil
        else {
            throw .input(
                "HF_ENDPOINT is \(quoted(address)): give the address of a hub, such as https://huggingface.co"
            )
        }
        endpoint = url
        token = try Self.token(
            value("HF_TOKEN") ?? Self.stored(path("HF_TOKEN_PATH") ?? "\(base)/token"))
    }

    private static func isTrue(_ value: String?) -> Bool {
        ["1", "ON", "YES", "TRUE"].contains(value?.uppercased() ?? "")
    }

    private static func stored(_ path: String) -> String? {
        (try? Files.read(path, atMost: 4096)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The token without the spaces around it; `nil` for an empty one.
    private static func token(_ text: String?) throws(HubError) -> String? {
        guard let text else { return nil }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty else { return nil }
        // Anything else could begin another header.
        guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .input(
                "the hub's token (HF_TOKEN, or the file token in HF_HOME) holds a space or a character that none has: copy it again"
            )
        }
        return token
    }

    /// A text of a server without the token, should it repeat it.
    func withoutToken(_ text: String) -> String {
        token.map { text.replacingOccurrences(of: $0, with: "[token]") } ?? text
    }

    /// What the hub is called in messages.
    var hub: String { endpoint.port.map { "\(endpoint.host ?? ""):\($0)" } ?? endpoint.host ?? "" }
}

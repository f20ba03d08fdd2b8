import Foundation

/// What a server says before the body of an answer.
struct HTTPHead: Sendable {
    /// The status, such as 200.
    var status = 0
    /// The headers by their names in lower case.
    private var headers: [String: String] = [:]

    /// The value of a header.
    subscript(name: String) -> String? { headers[name.lowercased()] }

    /// Whether the answer lies at another address.
    var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) }
    /// Whether the request can succeed when it is repeated later.
    var isPassing: Bool { status == 408 || status == 429 || status >= 500 }

    /// The number of bytes of the body that follows; `nil` where it is not given.
    var contentLength: Int? { self["Content-Length"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil } }

    /// What `Content-Range: bytes 5-9/10` says: the first byte and the number of all.
    var contentRange: (first: Int?, total: Int?)? {
        guard let range = self["Content-Range"], range.lowercased().hasPrefix("bytes") else { return nil }
        let parts = range.dropFirst("bytes".count).split(separator: "/")
        guard parts.count == 2 else { return nil }
        let first = parts[0].split(separator: "-").first.map { $0.filter { $0 != " " } }
        return (first.flatMap { Int($0) }, Int(parts[1].filter { $0 != " " }))
    }

    /// Seconds after which the server wishes the next request: a number, or a date.
    func retryAfter(now: Date = Date()) -> Double? {
        guard let text = self["Retry-After"] else { return nil }
        if let seconds = Double(text) { return seconds.isFinite ? max(0, seconds) : nil }
        let form = DateFormatter()
        form.locale = Locale(identifier: "en_US_POSIX")
        form.timeZone = TimeZone(identifier: "GMT")
        form.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return form.date(from: text).map { max(0, $0.timeIntervalSince(now)) }
    }

    /// Takes in a line as it comes. A status begins another answer, such as the one after `100 Continue`.
    mutating func add(_ line: some StringProtocol) {
        let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
        if text.hasPrefix("HTTP/") {
            let words = text.split(separator: " ")
            self = HTTPHead()
            status = words.count > 1 ? Int(words[1]) ?? 0 : 0
            return
        }
        guard let colon = text.firstIndex(of: ":") else { return }
        let name = text[..<colon].lowercased()
        headers[name] = text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
}

/// What the servers said that a request came to, one after the other: the hub, and those that it led to.
struct HubAnswer {
    private(set) var last = HTTPHead()
    /// What the hub itself said, the last first.
    private var ofHub: [HTTPHead] = []

    /// The last that the hub itself said.
    var hub: HTTPHead { ofHub.first ?? HTTPHead() }

    /// A header that is the hub's alone to give.
    subscript(name: String) -> String? { ofHub.lazy.compactMap { $0[name] }.first }

    func followed(by head: HTTPHead, isHub: Bool) -> HubAnswer {
        var answer = self
        answer.last = head
        if isHub { answer.ofHub.insert(head, at: 0) }
        return answer
    }

    /// The tag of the file that was requested, without its quotes and the mark of a weak one; `nil` where there is none.
    /// The hub's word counts before that of a server it led to, whose tag is only taken where it is a digest.
    var tag: String? {
        if let tag = self["X-Linked-Etag"] ?? ofHub.lazy.compactMap({ $0["ETag"] }).first {
            return Self.bare(tag)
        }
        let other = last["ETag"].map(Self.bare)
        return other.flatMap { isHexadecimal($0, count: 64) || isHexadecimal($0, count: 40) ? $0 : nil }
    }

    /// No file is larger, so that sums of sizes are numbers.
    private static let largest = 1 << 44

    /// The size of the file; `nil` where it is not given.
    var byteCount: Int? {
        if let size = self["X-Linked-Size"].flatMap({ Int($0) }) {
            return (0...Self.largest).contains(size) ? size : nil
        }
        guard last.status == 200, last["Content-Encoding"] ?? "identity" == "identity" else { return nil }
        return last.contentLength.map { min($0, Self.largest) }
    }

    private static func bare(_ tag: String) -> String {
        let strong = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...]
        return strong.filter { $0 != "\"" }
    }
}

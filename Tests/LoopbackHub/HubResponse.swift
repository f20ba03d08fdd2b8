/// An answer on its way.
struct HubResponse {
    var status = 200
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    /// The length that the head gives for the body; the true one where `nil`.
    var announced: Int?
    /// How many bytes of the body are sent before the connection is cut; all where `nil`.
    var cut: Int?
    /// How many bytes are sent before a pause without end.
    var stall: Int?

    subscript(name: String) -> String? {
        get { headers.first { $0.0 == name }?.1 }
        set {
            headers.removeAll { $0.0 == name }
            if let newValue { headers.append((name, newValue)) }
        }
    }
}

extension LoopbackHub {
    /// What a well-behaved hub answers.
    func response(to request: Request) -> HubResponse {
        if request.isOfContents { return content(request) }
        if let token, request.headers["authorization"] != "Bearer \(token)" {
            return refusal(request.headers["authorization"] == nil ? 401 : 403, "GatedRepo")
        }
        let api = "/api/models/\(model)/revision/"
        if request.path.hasPrefix(api) {
            guard ["main", commit].contains(String(request.path.dropFirst(api.count))) else {
                return refusal(404, "RevisionNotFound")
            }
            return HubResponse(headers: [("Content-Type", "application/json")], body: Array(listing.utf8))
        }
        let resolve = "/\(model)/resolve/\(commit)/"
        guard request.path.hasPrefix(resolve) else { return refusal(404, "RepoNotFound") }
        let name = String(request.path.dropFirst(resolve.count)).removingPercentEncoding ?? ""
        guard let file = files[name] else {
            var missing = refusal(404, "EntryNotFound")
            missing["X-Repo-Commit"] = commit
            return missing
        }
        guard file.isLarge else {
            var response = part(of: file, request)
            response["X-Repo-Commit"] = commit
            return response
        }
        return HubResponse(
            status: 302,
            headers: [
                ("X-Repo-Commit", commit), ("X-Linked-Etag", "\"\(file.tag)\""),
                ("X-Linked-Size", "\(file.bytes.count)"),
                ("Location", "\(contents)/\(file.tag)?signature=secret"),
            ])
    }

    private var listing: String {
        let names = files.keys.sorted().map { "{\"rfilename\": \"\($0)\"}" }.joined(separator: ", ")
        return "{\"id\": \"\(model)\", \"sha\": \"\(commit)\", \"siblings\": [\(names)]}"
    }

    private func refusal(_ status: Int, _ code: String) -> HubResponse {
        HubResponse(
            status: status, headers: [("X-Error-Code", code), ("X-Error-Message", "refused")],
            body: Array("refused".utf8))
    }

    private func content(_ request: Request) -> HubResponse {
        let tag = request.path.dropFirst()
        guard let file = files.values.first(where: { $0.tag == tag }), request.headers["authorization"] == nil
        else {
            return HubResponse(status: 400)
        }
        return part(of: file, request)
    }

    /// A file, or the part of it that is wanted.
    private func part(of file: HubFile, _ request: Request) -> HubResponse {
        var response = HubResponse(headers: [("ETag", "\"\(file.tag)\"")], body: file.bytes)
        guard let start = request.start else { return response }
        let size = file.bytes.count
        guard start < size else {
            return HubResponse(status: 416, headers: [("Content-Range", "bytes */\(size)")])
        }
        response.status = 206
        response["Content-Range"] = "bytes \(start)-\(size - 1)/\(size)"
        response.body = Array(file.bytes[start...])
        return response
    }
}

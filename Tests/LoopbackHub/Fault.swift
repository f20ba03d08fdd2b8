/// What a hub does wrong.
public struct Fault: Sendable {
    let change: @Sendable (inout HubResponse, LoopbackHub.Request, LoopbackHub) -> Void

    func changed(_ response: HubResponse, to request: LoopbackHub.Request, _ hub: LoopbackHub) -> HubResponse
    {
        var response = response
        change(&response, request, hub)
        return response
    }

    /// The connection is cut after some bytes of the body.
    public static func cut(after count: Int) -> Fault { Fault { response, _, _ in response.cut = count } }

    /// After some bytes of the body nothing comes any more.
    public static func stall(after count: Int) -> Fault { Fault { response, _, _ in response.stall = count } }

    /// Another answer.
    public static func status(_ status: Int, _ headers: [String: String] = [:]) -> Fault {
        Fault { response, _, _ in
            response = HubResponse(status: status, headers: headers.map { ($0, $1) }, body: Array("no".utf8))
        }
    }

    /// Ranges are not known: everything is sent.
    public static let knowsNoRanges = Fault { response, request, hub in
        guard let file = hub.files.values.first(where: { request.path.hasSuffix($0.tag) }) else { return }
        response = HubResponse(headers: [("ETag", "\"\(file.tag)\"")], body: file.bytes)
    }

    /// Another range than the one wanted.
    public static let wrongRange = Fault { response, request, _ in
        guard response.status == 206 else { return }
        response["Content-Range"] = "bytes 0-9/10"
    }

    /// A range that cannot be had, whatever is wanted.
    public static let noRange = Fault { response, request, _ in
        if request.start != nil { response = HubResponse(status: 416) }
    }

    /// The first byte is another one.
    public static let otherByte = Fault { response, _, _ in
        if !response.body.isEmpty { response.body[0] ^= 1 }
    }

    /// More bytes than there should be.
    public static func longer(by count: Int) -> Fault {
        Fault { response, _, _ in response.body += [UInt8](repeating: 7, count: count) }
    }

    /// The head says another length than the body has.
    public static func announces(_ difference: Int) -> Fault {
        Fault { response, _, _ in response.announced = response.body.count + difference }
    }

    /// A web page in place of anything, as hotels have it.
    public static let page = Fault { response, _, _ in
        response = HubResponse(
            headers: [("Content-Type", "text/html")], body: Array("<html>Log in</html>".utf8))
    }

    /// The file's tag in another form; none where `nil`.
    public static func tag(_ form: (@Sendable (String) -> String)?) -> Fault {
        Fault { response, _, _ in
            for name in ["ETag", "X-Linked-Etag"] {
                guard let tag = response[name] else { continue }
                response[name] = form?(tag)
            }
        }
    }

    /// Leads elsewhere.
    public static func redirect(_ address: @escaping @Sendable (LoopbackHub.Request) -> String) -> Fault {
        Fault { response, request, _ in
            response = HubResponse(status: 302, headers: [("Location", address(request))])
        }
    }

    /// The body is said to be packed.
    public static let packed = Fault { response, _, _ in response["Content-Encoding"] = "gzip" }

    /// The refusal repeats what the request brought.
    public static let repeatsToken = Fault { response, request, _ in
        response = HubResponse(
            status: 418, headers: [("X-Error-Message", request.headers["authorization"] ?? "")])
    }
}

extension Fault {
    /// Another value of a header.
    public init(header name: String, _ value: String) {
        self.init { response, _, _ in response[name] = value }
    }
}

extension Fault {
    /// Ranges are not known, and the connection is cut after some bytes.
    public static func knowsNoRangesAndCuts(after count: Int) -> Fault {
        Fault { response, request, hub in
            knowsNoRanges.change(&response, request, hub)
            response.cut = count
        }
    }
}

import CCurl
import Foundation
import Storage

/// A transfer that ended before its answer was whole.
struct TransferFailure: Error {
    /// Why, as part of a sentence.
    let reason: String
    /// Whether repeating it can help.
    let isPassing: Bool
}

/// One request at a time over libcurl, which keeps the connection for the next one. Redirects are not followed here.
final class HTTPConnection {
    /// What a request holds.
    struct Request {
        var method = "GET"
        var url: URL
        var headers: [String] = []
        /// The most seconds that the whole answer may take; without bound where 0.
        var seconds = 0
    }

    /// What is done with the body of an answer.
    enum BodyUse {
        /// It is handed out.
        case taken
        /// It is read and forgotten, so that the connection can be used again.
        case passedOver
        /// The transfer ends before it.
        case leftOut
    }

    /// Called with what a server says before the body.
    typealias OnHead = (HTTPHead) throws -> BodyUse
    /// Called with each piece of the body.
    typealias OnBody = (UnsafeRawBufferPointer) throws -> Void

    private let handle: UnsafeMutableRawPointer
    private let timeout: Int
    private let certificates: String?

    private static let isReady: Void = { curl_global_init(Int(CURL_GLOBAL_DEFAULT)) }()

    init(_ settings: HubSettings) throws(HubError) {
        _ = Self.isReady
        guard let handle = curl_easy_init() else { throw .failure("libcurl cannot be started: try again") }
        self.handle = handle
        (timeout, certificates) = (settings.timeout, settings.certificates)
    }

    deinit { curl_easy_cleanup(handle) }

    /// Sends a request and hands out its answer.
    /// - Returns: what the server said before the body.
    /// - Throws: `TransferFailure`; what `onHead` and `onBody` throw.
    func send(_ request: Request, onHead: @escaping OnHead, onBody: @escaping OnBody) throws -> HTTPHead {
        let exchange = Exchange(onHead: onHead, onBody: onBody)
        curl_easy_reset(handle)
        var headers: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(headers) }
        for header in request.headers { headers = curl_slist_append(headers, header) }
        curl_set_headers(handle, headers)
        curl_set_text(handle, CURLOPT_URL, request.url.absoluteString)
        if request.method == "HEAD" { curl_set_long(handle, CURLOPT_NOBODY, 1) }
        set(request)
        let code = withExtendedLifetime(exchange) {
            let pointer = Unmanaged.passUnretained(exchange).toOpaque()
            curl_set_pointer(handle, CURLOPT_HEADERDATA, pointer)
            curl_set_pointer(handle, CURLOPT_WRITEDATA, pointer)
            curl_set_callback(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, exchange in
                Exchange.of(exchange).add(line: UnsafeRawBufferPointer(start: bytes, count: size * count))
            }
            curl_set_callback(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, exchange in
                Exchange.of(exchange).add(body: UnsafeRawBufferPointer(start: bytes, count: size * count))
            }
            return curl_easy_perform(handle)
        }
        if let error = exchange.error { throw error }
        if exchange.isEndedOnPurpose { return exchange.head }
        guard code == CURLE_OK else { throw failure(code) }
        if !exchange.isHeadGiven { try exchange.giveHead() }
        return exchange.head
    }

    private func set(_ request: Request) {
        curl_set_protocols(handle)
        curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        curl_set_long(handle, CURLOPT_CONNECTTIMEOUT, timeout)
        curl_set_long(handle, CURLOPT_TIMEOUT, request.seconds)
        // A byte a second keeps a connection.
        curl_set_long(handle, CURLOPT_LOW_SPEED_LIMIT, 1)
        curl_set_long(handle, CURLOPT_LOW_SPEED_TIME, timeout)
        curl_set_long(handle, CURLOPT_BUFFERSIZE, 256 << 10)
        if let certificates { curl_set_text(handle, CURLOPT_CAINFO, certificates) }
    }

    private func failure(_ code: CURLcode) -> TransferFailure {
        let isPassing = !Self.lasting.contains { $0 == code }
        if code == CURLE_OPERATION_TIMEDOUT {
            return TransferFailure(reason: "nothing came for \(timeout) seconds", isPassing: true)
        }
        let reason = Self.reasons.first { $0.code == code }?.reason
        return TransferFailure(
            reason: reason ?? String(cString: curl_easy_strerror(code)), isPassing: isPassing)
    }

    private static let reasons: [(code: CURLcode, reason: String)] = [
        (CURLE_COULDNT_RESOLVE_HOST, "its name is not known here"),
        (CURLE_COULDNT_RESOLVE_PROXY, "the name of the proxy is not known here"),
        (CURLE_COULDNT_CONNECT, "there is no connection to it"),
        (CURLE_PARTIAL_FILE, "the connection was cut"),
        (CURLE_GOT_NOTHING, "it closed the connection without an answer"),
        (CURLE_RECV_ERROR, "the connection was cut"),
        (CURLE_PEER_FAILED_VERIFICATION, "its certificate is not trusted here (SSL_CERT_FILE names others)"),
        (CURLE_SSL_CACERT_BADFILE, "the file of certificates (SSL_CERT_FILE) cannot be read"),
    ]

    /// What is the same the next time.
    private static let lasting = [
        CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_URL_MALFORMAT,
        CURLE_UNSUPPORTED_PROTOCOL,
    ]
}

/// An answer on its way, as libcurl's callbacks see it.
private final class Exchange {
    var head = HTTPHead()
    var error: (any Error)?
    var isHeadGiven = false
    var isEndedOnPurpose = false
    private var use = HTTPConnection.BodyUse.taken
    private var headByteCount = 0
    private var passedByteCount = 0
    private let onHead: HTTPConnection.OnHead
    private let onBody: HTTPConnection.OnBody

    /// More than any server's headers, and little enough to be harmless.
    private static let largestHead = 1 << 18
    /// A longer body costs more than a new connection.
    private static let longestPassedOver = 1 << 16

    init(onHead: @escaping HTTPConnection.OnHead, onBody: @escaping HTTPConnection.OnBody) {
        (self.onHead, self.onBody) = (onHead, onBody)
    }

    static func of(_ pointer: UnsafeMutableRawPointer?) -> Exchange {
        Unmanaged<Exchange>.fromOpaque(pointer!).takeUnretainedValue()
    }

    /// - Returns: the number of bytes taken; another one ends the transfer.
    func add(line: UnsafeRawBufferPointer) -> Int {
        headByteCount += line.count
        guard headByteCount <= Self.largestHead else {
            error = TransferFailure(
                reason: "its headers are larger than any server's", isPassing: false)
            return 0
        }
        head.add(String(decoding: line, as: UTF8.self))
        return line.count
    }

    func add(body: UnsafeRawBufferPointer) -> Int {
        do {
            if !isHeadGiven { try giveHead() }
            switch use {
            case .taken: try onBody(body)
            case .passedOver: passedByteCount += body.count
            case .leftOut: isEndedOnPurpose = true
            }
            if passedByteCount > Self.longestPassedOver { isEndedOnPurpose = true }
            return isEndedOnPurpose ? 0 : body.count
        } catch {
            self.error = error
            return 0
        }
    }

    func giveHead() throws {
        isHeadGiven = true
        use = try onHead(head)
    }
}

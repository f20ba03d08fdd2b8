import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A socket of the loopback address that waits for connections.
struct ListeningSocket {
    let socket: Int32
    let port: UInt16

    struct Failure: Error {
        let code: Int32
    }

    init() throws {
        #if canImport(Darwin)
            socket = Foundation.socket(AF_INET, SOCK_STREAM, 0)
        #else
            socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        // Programs that a test starts must not keep it open.
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                guard bind(socket, pointer, size) == 0, listen(socket, 64) == 0 else { return errno }
                return getsockname(socket, pointer, &size) == 0 ? 0 : errno
            }
        }
        guard code == 0 else { throw Failure(code: code) }
        port = UInt16(bigEndian: address.sin_port)
    }
}

/// A connection of one client.
struct HubConnection {
    private let socket: Int32

    init(_ socket: Int32) {
        self.socket = socket
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        #if canImport(Darwin)
            var isOn: Int32 = 1
            setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &isOn, socklen_t(MemoryLayout<Int32>.size))
        #endif
    }

    typealias Answer = ((method: String, path: String, headers: [String: String])) -> HubResponse?

    /// Answers requests until the client or an answer ends the connection.
    func serve(_ answer: Answer) {
        defer { close(socket) }
        while let request = read(), let response = answer(request) {
            guard write(response, isHead: request.method == "HEAD") else { return }
        }
    }

    private func read() -> (method: String, path: String, headers: [String: String])? {
        var text: [UInt8] = []
        var byte: UInt8 = 0
        while !text.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard text.count < 1 << 16, recv(socket, &byte, 1, 0) == 1 else { return nil }
            text.append(byte)
        }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count == 3 else { return nil }
        let headers = lines.dropFirst().compactMap { line -> (String, String)? in
            let parts = line.split(separator: ":", maxSplits: 1)
            return parts.count == 2
                ? (parts[0].lowercased(), parts[1].trimmingCharacters(in: .whitespaces)) : nil
        }
        return (
            String(words[0]), String(words[1].prefix { $0 != "?" }),
            Dictionary(headers) { first, _ in first }
        )
    }

    /// - Returns: whether another request may come.
    private func write(_ response: HubResponse, isHead: Bool) -> Bool {
        var head = "HTTP/1.1 \(response.status) Answer\r\n"
        for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
        head += "Content-Length: \(response.announced ?? response.body.count)\r\n\r\n"
        guard send(Array(head.utf8)[...]) else { return false }
        guard !isHead else { return true }
        let count = min(response.cut ?? .max, response.stall ?? .max, response.body.count)
        guard send(response.body[..<count]) else { return false }
        if response.stall != nil {
            // Until the client goes.
            var byte: UInt8 = 0
            _ = recv(socket, &byte, 1, 0)
        }
        return count == response.body.count && response.announced == nil
    }

    private func send(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { bytes in
                #if canImport(Darwin)
                    Darwin.send(socket, bytes.baseAddress, bytes.count, 0)
                #else
                    Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                #endif
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

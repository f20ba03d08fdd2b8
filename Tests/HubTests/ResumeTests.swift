import Foundation
import Hub
import LoopbackHub
import Storage
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Downloads that stop and go on")
struct ResumeTests {
    /// A hub whose network's weights are cut after 150,000 bytes each time.
    private func cut() throws -> (TinyHub, tag: String) {
        let tiny = try TinyHub()
        let tag = try tiny.tag(TinyHub.unet)
        tiny.hub.set(.init(tag, .cut(after: 150_000), count: 1), .init(tag, .cut(after: 0)))
        let error = tiny.error()
        #expect(error?.isOfInput == false)
        #expect(error?.description.contains("150000 bytes are here") == true, "\(error as Any)")
        return (tiny, tag)
    }

    @Test("a download does not start from zero again")
    func goesOn() throws {
        let (tiny, tag) = try cut()
        #expect(try Files.read("\(tiny.cache)/models--org--name/blobs/\(tag).incomplete").count == 150_000)
        tiny.hub.reset()
        try tiny.model()
        let requests = tiny.hub.requests.filter { $0.path.hasSuffix(tag) }
        #expect(requests.map(\.start) == [150_000])
        // Nothing that is here is requested again.
        #expect(tiny.hub.requests.filter { $0.method == "GET" }.count == 3)
        #expect(tiny.fetched == TinyHub.needed)
        #expect(tiny.isSound)
        #expect(!tiny.blobs.contains { $0.contains(".incomplete") })
        #expect(tiny.progress.last?.byteCount == tiny.progress.last?.total)
        #expect(tiny.progress.last?.first == 150_000)
    }

    @Test("a file has its final name only when it is whole")
    func finalNames() throws {
        let (tiny, tag) = try cut()
        #expect(!tiny.blobs.contains(tag))
        #expect(!tiny.fetched.contains(TinyHub.unet))
        #expect(tiny.names("models--org--name").contains("refs") == false)
        #expect(tiny.isSound)
    }

    @Test("a cut line is taken up again at once")
    func cutLines() throws {
        let tiny = try TinyHub()
        let tag = try tiny.tag(TinyHub.unet)
        // Four tries bring something new each, which is more than may fail in a row.
        tiny.hub.set(.init(tag, .cut(after: 30_000), count: 6))
        try tiny.model()
        let starts = tiny.hub.requests.filter { $0.path.hasSuffix(tag) }.map { $0.start ?? 0 }
        #expect(starts == [0, 30_000, 60_000, 90_000, 120_000, 150_000, 180_000])
        #expect(tiny.isSound)
    }

    // F13
    @Test("what comes no more counts as cut")
    func stalls() throws {
        let tiny = try TinyHub()
        let tag = try tiny.tag(TinyHub.unet)
        tiny.hub.set(.init(tag, .stall(after: 199_000), count: 1))
        try tiny.model()
        #expect(tiny.hub.requests.filter { $0.path.hasSuffix(tag) }.map(\.start) == [nil, 199_000])
        #expect(tiny.isSound)
    }

    // F7, F8
    @Test(
        "servers without ranges, with wrong ones and with none are dealt with",
        arguments: [
            Fault.knowsNoRanges, .wrongRange, .noRange,
        ])
    func ranges(_ fault: Fault) throws {
        let (tiny, tag) = try cut()
        tiny.hub.set(.init(tag, fault, count: 1))
        try tiny.model()
        #expect(tiny.fetched == TinyHub.needed)
        #expect(tiny.isSound)
    }

    @Test("a server that cuts each time and knows no ranges is given up")
    func hopeless() throws {
        let tiny = try TinyHub()
        let tag = try tiny.tag(TinyHub.unet)
        tiny.hub.set(.init(tag, .knowsNoRangesAndCuts(after: 1000)))
        #expect(tiny.error()?.isOfInput == false)
        #expect(tiny.hub.requests.filter { $0.path.hasSuffix(tag) }.count < 8)
    }

    @Test("a part of an earlier run that is damaged is fetched again as a whole")
    func damagedPart() throws {
        let (tiny, tag) = try cut()
        let path = "\(tiny.cache)/models--org--name/blobs/\(tag).incomplete"
        for bytes in [noise(150_000, seed: 99), noise(200_000, seed: 99), noise(300_000, seed: 99)] {
            try? FileManager.default.removeItem(atPath: "\(tiny.cache)/models--org--name/blobs/\(tag)")
            try Files.write(bytes, to: path)
            tiny.hub.reset()
            try tiny.model()
            #expect(tiny.fetched == TinyHub.needed)
            #expect(tiny.isSound)
        }
    }

    @Test("a part that is whole needs no request of its own")
    func wholePart() throws {
        let (tiny, tag) = try cut()
        try Files.write(
            TinyHub.files[TinyHub.unet] ?? [], to: "\(tiny.cache)/models--org--name/blobs/\(tag).incomplete")
        tiny.hub.reset()
        try tiny.model()
        #expect(!tiny.hub.requests.contains { $0.path.hasSuffix(tag) })
        #expect(tiny.isSound)
    }

    @Test("leftovers of Python's library are gone on with")
    func leftovers() throws {
        let (tiny, tag) = try cut()
        let blobs = "\(tiny.cache)/models--org--name/blobs"
        try Files.rename("\(blobs)/\(tag).incomplete", to: "\(blobs)/\(tag).1a2b3c4d.incomplete")
        try Files.write([1, 2, 3], to: "\(blobs)/\(tag).00000000.incomplete")
        tiny.hub.reset()
        try tiny.model()
        #expect(tiny.hub.requests.filter { $0.path.hasSuffix(tag) }.map(\.start) == [150_000])
        #expect(!tiny.blobs.contains { $0.contains(".incomplete") })
        #expect(tiny.isSound)
    }

    @Test("nothing unfinished is left where a model is whole, but for what somebody fetches now")
    func sweeps() throws {
        let (tiny, tag) = try cut()
        let blobs = "\(tiny.cache)/models--org--name/blobs"
        let (old, used) = (String(repeating: "a", count: 64), String(repeating: "b", count: 64))
        try Files.write([1], to: "\(blobs)/\(old).incomplete")
        try Files.write([1], to: "\(blobs)/\(used).12345678.incomplete")
        let lock = open("\(tiny.cache)/.locks/models--org--name/\(used).lock", O_RDWR | O_CREAT, 0o600)
        try #require(flock(lock, LOCK_EX) == 0)
        tiny.hub.reset()
        try tiny.model()
        #expect(tiny.blobs.filter { $0.contains(".incomplete") } == ["\(used).12345678.incomplete"])
        #expect(tiny.blobs.contains(tag))
        close(lock)
        try tiny.model()
        #expect(!tiny.blobs.contains { $0.contains(".incomplete") })
    }

    @Test("two at once fetch a file once")
    func twoAtOnce() async throws {
        let tiny = try TinyHub()
        let environment = tiny.environment
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask { _ = try Hub(HubSettings(environment)).model("org/name") }
            }
            try await group.waitForAll()
        }
        let tag = try tiny.tag(TinyHub.unet)
        #expect(tiny.hub.requests.filter { $0.path.hasSuffix(tag) }.count == 1)
        #expect(tiny.fetched == TinyHub.needed)
        #expect(tiny.isSound)
    }
}

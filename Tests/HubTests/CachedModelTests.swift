import Foundation
import Hub
import LoopbackHub
import Storage
import Testing

@Suite("What the cache holds")
struct CachedModelTests {
    @Test("models are listed with revision, size and time of use")
    func lists() throws {
        let tiny = try TinyHub()
        try tiny.model()
        let cache = HubCache(tiny.cache)
        let models = try cache.models()
        #expect(models.count == 1)
        let model = try #require(models.first)
        #expect(model.name == "org/name")
        #expect(model.commit == tiny.hub.commit)
        #expect(model.references == ["main"])
        #expect(model.path == tiny.snapshot)
        let sizes = TinyHub.needed.compactMap { TinyHub.files[$0]?.count }
        #expect(model.byteCount == sizes.reduce(0, +))
        #expect(cache.byteCount("org/name") == model.byteCount)
        #expect(abs(try #require(model.lastUsed).timeIntervalSinceNow) < 600)
    }

    @Test("what was begun is listed, too")
    func listsUnfinished() throws {
        let tiny = try TinyHub()
        let tag = try tiny.tag(TinyHub.unet)
        tiny.hub.set(.init(tag, .cut(after: 100_000), count: 1), .init(tag, .cut(after: 0)))
        _ = tiny.error()
        let unfinished = try HubCache(tiny.cache).models().filter { $0.commit == nil }
        #expect(unfinished.map(\.byteCount) == [100_000])
    }

    @Test("a cache that is not there holds nothing")
    func empty() throws {
        #expect(try HubCache("/nowhere/at/all").models().isEmpty)
    }

    @Test("a model is removed with everything, and what else is there stays")
    func removes() throws {
        let tiny = try TinyHub()
        try tiny.model()
        try Files.createFolder("\(tiny.cache)/datasets--a--b")
        let cache = HubCache(tiny.cache)
        #expect(try cache.remove("org/name") > 200_000)
        #expect(try cache.models().isEmpty)
        #expect(tiny.names("") == [".locks", "datasets--a--b"])
        #expect(tiny.names(".locks").isEmpty)
        #expect(throws: HubError.self) { try cache.remove("org/name") }
        // It can be fetched again.
        try tiny.model()
        #expect(tiny.fetched == TinyHub.needed)
    }

    @Test(
        "names that lead elsewhere remove nothing",
        arguments: ["..", "a/../..", "datasets--a--b", "org/name@main"])
    func removesNothingElse(_ name: String) throws {
        let tiny = try TinyHub()
        try tiny.model()
        #expect(throws: HubError.self) { try HubCache(tiny.cache).remove(name) }
        #expect(tiny.fetched == TinyHub.needed)
    }
}

import Foundation
import Storage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct DigestCacheTests {
    // FIPS 180-4's own example.
    private let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test func aDigestIsRememberedAndADamagedEntryIsNone() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("abc", "abc")
        let cache = DigestCache(folder: folder("deep/cache"))
        #expect(try cache.sha256(ofFile: file) == digest)
        let entry = try folder("deep/cache/") + #require(folderNames(folder("deep/cache")).first)
        let whole = try contents(of: entry)
        // Every byte of an entry counts.
        for place in whole.indices {
            var damaged = whole
            damaged[place] ^= 1
            try Data(damaged).write(to: URL(fileURLWithPath: entry))
            #expect(try cache.sha256(ofFile: file) == digest, "\(place)")
            #expect(try contents(of: entry) == whole, "\(place)")
        }
        for other in [[], Array(whole.dropLast()), whole + whole, Array(repeating: 7, count: 1000)] {
            try Data(other).write(to: URL(fileURLWithPath: entry))
            #expect(try cache.sha256(ofFile: file) == digest)
        }
        // An entry of another file is none of this one's.
        let second = try folder.write("second", "another")
        let other = try cache.sha256(ofFile: second)
        let names = try folderNames(folder("deep/cache"))
        let foreign = try #require(names.first { !entry.hasSuffix($0) })
        try Data(whole).write(to: URL(fileURLWithPath: folder("deep/cache/\(foreign)")))
        #expect(try cache.sha256(ofFile: second) == other && other != digest)
        // A folder in the place of an entry.
        try FileManager.default.removeItem(atPath: entry)
        try FileManager.default.createDirectory(atPath: entry, withIntermediateDirectories: false)
        #expect(try cache.sha256(ofFile: file) == digest)
    }

    @Test func aFileThatChangesIsReadAgain() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("file", "abc")
        let cache = DigestCache(folder: folder("cache"))
        #expect(try cache.sha256(ofFile: file) == digest)
        let opened = try OpenedFile(file)
        // Another size, another inode, another time.
        for text in ["abcd", "abd"] {
            try Files.replace(file, with: text.utf8)
            #expect(try cache.sha256(ofFile: file) != digest)
        }
        // What was opened before is what it was.
        #expect(try cache.sha256(of: opened) == digest)
        #expect(try cache.sha256(of: opened) == digest)
    }

    @Test func theCacheHasABound() throws {
        let folder = try TemporaryFolder()
        let cache = DigestCache(folder: folder("cache"), limit: 5)
        for number in 0..<23 {
            _ = try cache.sha256(ofFile: folder.write("\(number)", "\(number)"))
            #expect(try folderNames(folder("cache")).count <= 5)
        }
    }

    /// Threads stand for processes: what they share is the folder.
    @Test func severalAtOnceDoNotDisturbEachOther() async throws {
        let folder = try TemporaryFolder()
        let files = try (0..<20).map { try folder.write("\($0)", "\($0)") }
        let expected = try files.map { try DigestCache(folder: nil).sha256(ofFile: $0) }
        let place = folder("cache")
        try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try (0..<10).flatMap { _ in
                        try files.map { try DigestCache(folder: place, limit: 7).sha256(ofFile: $0) }
                    }
                }
            }
            for try await found in group { #expect(found == (0..<10).flatMap { _ in expected }) }
        }
    }

    @Test func filesThatAreNoneAreErrors() throws {
        let folder = try TemporaryFolder()
        let cache = DigestCache(folder: folder("cache"))
        #expect(throws: FileError.self) { try cache.sha256(ofFile: folder("none")) }
        #expect(throws: FileError.self) { try cache.sha256(ofFile: folder.path) }
        try #require(mkfifo(folder("pipe"), 0o600) == 0)
        #expect(throws: FileError.self) { try cache.sha256(ofFile: folder("pipe")) }
        #expect(!FileManager.default.fileExists(atPath: folder("cache")))
    }

    @Test func theUsersCacheIsWhereTheDesktopHasIt() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("abc", "abc")
        for (environment, place) in [
            (["XDG_CACHE_HOME": folder("a"), "HOME": folder("b")], "a/langevin/sha256"),
            (["HOME": folder("b")], "b/.cache/langevin/sha256"),
            (["XDG_CACHE_HOME": "c", "HOME": folder("d")], "d/.cache/langevin/sha256"),
        ] {
            #expect(try DigestCache.user(environment).sha256(ofFile: file) == digest)
            #expect(try folderNames(folder(place)).count == 1)
        }
        #expect(try DigestCache.user([:]).sha256(ofFile: file) == digest)
    }
}

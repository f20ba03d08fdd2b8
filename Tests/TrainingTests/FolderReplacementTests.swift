import Foundation
import Pipelines
import Storage
import Synchronization
import TestSupport
import Testing
import Training

/// Looks again and again whether a name leads to anything, on a thread of its own.
private final class Watcher: Sendable {
    private let isDone = Atomic(false)
    private let absences = Atomic(0)
    private let ended = DispatchSemaphore(value: 0)

    init(_ path: String) {
        Thread.detachNewThread { [self] in
            while !isDone.load(ordering: .relaxed) {
                if !Files.exists(path) { absences.add(1, ordering: .relaxed) }
            }
            ended.signal()
        }
    }

    /// How often the name led nowhere.
    func stop() -> Int {
        isDone.store(true, ordering: .relaxed)
        ended.wait()
        return absences.load(ordering: .relaxed)
    }
}

@Suite struct FolderReplacementTests {
    private func write(_ text: String, to path: String) throws {
        try Files.createFolder(path + "/inner")
        try Files.write(text.utf8, to: path + "/inner/file")
    }

    /// There is no moment without the folder.
    @Test func theNameNeverLeadsNowhere() throws {
        let folder = try TemporaryFolder()
        let path = folder("model")
        try ModelLayout.replacing(path + "/") { try write("0", to: $0) }
        let watcher = Watcher(path)
        for round in 1...100 {
            try ModelLayout.replacing(path) { try write("\(round)", to: $0) }
            #expect(folder.bytes("model/inner/file") == Array("\(round)".utf8))
        }
        #expect(watcher.stop() == 0)
        #expect(try folder.names() == ["model"])
    }

    /// What fails while it is written leaves the old one and nothing beside it.
    @Test func aFailureLeavesTheOldOne() throws {
        let folder = try TemporaryFolder()
        let path = folder("model")
        try ModelLayout.replacing(path) { try write("old", to: $0) }
        #expect(throws: RunError("the disk is full")) {
            try ModelLayout.replacing(path) { aside in
                try write("new", to: aside)
                throw RunError("the disk is full")
            }
        }
        #expect(folder.bytes("model/inner/file") == Array("old".utf8))
        #expect(try folder.names() == ["model"])
        #expect { try ModelLayout.replacing(folder("none/model")) { _ in } } throws: {
            "\($0)".contains("make it first")
        }
    }

    /// Where a file system cannot exchange names, a stop between the two renames leaves the old one under another
    /// name; the next run gives it back. Other remains go.
    @Test func aRunClearsAwayWhatWasCutShort() throws {
        let folder = try TemporaryFolder()
        let path = folder("run")
        try RunFolder(path, resume: false).write(Recipe())
        try write("old", to: path + "/model.old-1234")
        try write("new", to: path + "/model.tmp-5678")
        #expect(try RunFolder(path, resume: true).isContinued)
        #expect(folder.bytes("run/model/inner/file") == Array("old".utf8))
        try write("older", to: path + "/model.old-1234")
        _ = try RunFolder(path, resume: true)
        #expect(folder.bytes("run/model/inner/file") == Array("old".utf8))
        #expect(try folderNames(path).filter { $0.hasPrefix("model") } == ["model"])
    }
}

import Foundation
import TestSupport
import Testing
import Training

@Suite struct RunFolderTests {
    private func message(_ path: String, resume: Bool = false) -> String {
        do {
            return "accepted \(try RunFolder(path, resume: resume).isContinued)"
        } catch {
            return "\(error)"
        }
    }

    @Test func freshAndContinuedRuns() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/a/b"
        #expect(message(path) == "accepted false")
        // Nothing was written yet: it is no run.
        #expect(message(path, resume: true) == "accepted false")
        var recipe = Recipe()
        recipe.training.steps = 77
        do {
            let run = try RunFolder(path, resume: false)
            try run.write(recipe)
            try run.checkpoints(keep: 1).save(step: 2, parts: [CheckpointPart("a", bytes: [1])])
            #expect(run.samplePath(step: 5) == "\(path)/samples/step-5.png")
        }
        #expect(
            message(path)
                == "The folder \(path) holds a run already: resume it, or give another folder."
        )
        let run = try RunFolder(path, resume: true)
        #expect(run.isContinued)
        #expect(try run.recipe() == recipe)
        #expect(try run.checkpoints(keep: 1).newest { _ in }?.step == 2)
    }

    @Test func foldersThatAreNoRuns() throws {
        let folder = try TemporaryFolder()
        try folder.write("thesis.txt", "x")
        for resume in [false, true] {
            #expect(
                message(folder.path, resume: resume).contains(
                    "is not empty and holds no run (there is \"thesis.txt\""))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["thesis.txt"])
        #expect(
            message("\(folder.path)/thesis.txt").contains("it is a file, not a folder; take another place"))
        #expect(message("\(folder.path)/thesis.txt/run").contains("a part of the path is a file"))
        #if os(Linux)
            #expect(
                message("/proc/none").contains("The run folder cannot be made: creating /proc/none failed"))
        #endif
    }

    /// H8
    @Test func oneTrainerAFolder() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/run"
        do {
            let first = try RunFolder(path, resume: false)
            let second = message(path, resume: true)
            #expect(
                second.contains(
                    "is in use by process \(getpid()) on \(ProcessInfo.processInfo.hostName) (since 2"))
            withExtendedLifetime(first) {}
        }
        #expect(message(path) == "accepted false")
        #expect(!FileManager.default.fileExists(atPath: "\(path)/.lock"))
    }

    @Test func locksOfTheDeadAreTakenOver() throws {
        let folder = try TemporaryFolder()
        try folder.write(".lock", "999999999\n\(ProcessInfo.processInfo.hostName)\n2020-01-01T00:00:00Z\n")
        #expect(message(folder.path) == "accepted false")
        try folder.write(".lock", "nonsense")
        #expect(message(folder.path) == "accepted false")
    }

    @Test func unfinishedFilesAreSwept() throws {
        let folder = try TemporaryFolder()
        try folder.write("recipe.yaml.tmp-1", "half")
        #expect(message(folder.path) == "accepted false")
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/recipe.yaml.tmp-1"))
    }
}

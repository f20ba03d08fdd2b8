import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The model of a run is replaced as its checkpoints are.
@Suite struct ModelReplacementTests {
    /// Runs that are killed (kill -9) while they save after every step: the model is whole and opens. There are 8 of
    /// them, or as many as LANGEVIN_TEST_KILLS says.
    @Test func aKilledRunLeavesAModelThatOpens() throws {
        let tiny = try TinyModel()
        let kills = ProcessInfo.processInfo.environment["LANGEVIN_TEST_KILLS"].flatMap(Int.init) ?? 8
        var steps: Set<Int> = []
        for _ in 0..<kills {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Program.path)
            process.arguments = [
                "train", tiny.folder("recipe.yaml"), "--out", tiny.run, "--resume", "--set",
                "training.steps=1000000", "--set", "training.checkpoint_every=1", "--set",
                "training.log_every=1",
            ]
            process.standardError = FileHandle.nullDevice
            let before = try #require(newestStep(tiny.run))
            try process.run()
            let start = Date()
            while newestStep(tiny.run) ?? 0 <= before + 1, process.isRunning,
                Date().timeIntervalSince(start) < 60
            {
                usleep(1_000)
            }
            usleep(.random(in: 0...60_000))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal)
            let outcome = try Program.run(
                "sample", tiny.run, "--steps", "1", "-o", tiny.folder("x.safetensors"))
            #expect(outcome.code == 0, "\(outcome.messages)")
            steps.insert(try #require(newestStep(tiny.run)))
        }
        #expect(steps.count == kills)
        // What the kills left behind goes when the run goes on.
        let last = try #require(steps.max())
        let outcome = try Program.run(
            "train", tiny.folder("recipe.yaml"), "--out", tiny.run, "--resume", "--set",
            "training.steps=\(last + 1)")
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(try folderNames(tiny.run).filter { $0.contains("tmp") || $0.contains("old") }.isEmpty)
        #expect(try folderNames(tiny.run).contains("model"))
    }

    private func newestStep(_ run: String) -> Int? {
        try? folderNames(run + "/checkpoints").compactMap { Int($0.dropFirst("step-".count)) }.max()
    }
}

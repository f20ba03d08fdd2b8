import Foundation
import Storage
import TestSupport
import Testing
import Training

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The files of the checkpoint of a step; every one says which step it belongs to.
private func parts(step: Int) -> [CheckpointPart] {
    var random = SplitMix(seed: UInt64(step))
    return ["model.safetensors", "ema.safetensors", "optimizer/moments.safetensors", "state.json"].map {
        name in
        let bytes = (0..<Int.random(in: 1...3000, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        return CheckpointPart(name, bytes: Array("\(step) \(name)".utf8) + bytes)
    }
}

/// Whether a checkpoint holds exactly what `parts` wrote.
private func isWhole(_ checkpoint: Checkpoint) throws -> Bool {
    let other = try TemporaryFolder()
    return try parts(step: checkpoint.step).allSatisfy { part in
        let expected = "\(other.path)/expected"
        try part.write(expected)
        return FileManager.default.contentsEqual(
            atPath: expected, andPath: try checkpoint.path(of: part.name))
    }
}

/// What stops a save: all that comes after it fails, too, as after the end of a process.
private final class Stop: @unchecked Sendable {
    // Used by one thread: a save calls its hook on the thread that called the save.
    private var left: Int
    private let failure: any Error
    private let forGood: Bool
    private(set) var operations: [String] = []

    init(after count: Int, failure: any Error = RunError("stopped"), forGood: Bool = true) {
        left = count
        self.failure = failure
        self.forGood = forGood
    }

    func callAsFunction(_ operation: String) throws {
        left -= 1
        operations.append(operation)
        if left == -1 || (forGood && left < 0) { throw failure }
    }
}

@Suite struct CheckpointFolderTests {
    @Test func newestIsFoundAndOldOnesGo() throws {
        let folder = try TemporaryFolder()
        let checkpoints = CheckpointFolder("\(folder.path)/checkpoints", keep: 3)
        #expect(try checkpoints.newest { _ in } == nil)
        for step in [5, 90, 100, 1000] { try checkpoints.save(step: step, parts: parts(step: step)) }
        #expect(try checkpoints.steps() == [90, 100, 1000])
        let newest = try #require(try checkpoints.newest { Issue.record("\($0)") })
        #expect(newest.step == 1000 && newest.path == "\(folder.path)/checkpoints/step-1000")
        #expect(try isWhole(newest))
        #expect(newest.files == parts(step: 1).map(\.name))
        #expect(throws: RunError.self) { try newest.path(of: "absent") }
        let names = try FileManager.default.contentsOfDirectory(atPath: checkpoints.path).sorted()
        #expect(names == ["step-100", "step-1000", "step-90"])
    }

    @Test func manifestNamesEveryFileWithItsDigest() throws {
        let folder = try TemporaryFolder()
        try CheckpointFolder(folder.path, keep: 1).save(
            step: 3, parts: [CheckpointPart("a", bytes: Array("abc".utf8))])
        let json =
            try JSONSerialization.jsonObject(with: Data(folder.bytes("step-3/manifest.json")))
            as? [String: Any]
        let files = json?["files"] as? [[String: Any]]
        #expect(json?["step"] as? Int == 3 && json?["format"] as? Int == 1)
        #expect(files?.count == 1 && files?[0]["name"] as? String == "a" && files?[0]["bytes"] as? Int == 3)
        // FIPS 180-4's own example.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(files?[0]["sha256"] as? String == digest)
    }

    /// A stop before each operation in turn: the checkpoint before or the new one is there, whole.
    @Test(arguments: [false, true])
    func stopAtAnyOperation(replacing: Bool) throws {
        var stops = 0
        for count in 0... {
            let folder = try TemporaryFolder()
            let calm = CheckpointFolder(folder.path, keep: 1)
            try calm.save(step: 1, parts: parts(step: 1))
            let stop = Stop(after: count)
            let stopped = CheckpointFolder(folder.path, keep: 1) { try stop($0) }
            let step = replacing ? 1 : 2
            do {
                try stopped.save(step: step, parts: parts(step: step))
                break
            } catch {
                stops += 1
            }
            try calm.sweep()
            let found = try #require(try calm.newest { Issue.record("\($0)") })
            #expect(try isWhole(found))
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(names.allSatisfy { !$0.contains("tmp") && !$0.contains("old") }, "\(names)")
            // The run goes on.
            try calm.save(step: 3, parts: parts(step: 3))
            #expect(try calm.newest { _ in }?.step == 3)
        }
        #expect(stops > 12)
    }

    /// A part that stops in the middle of its file, at every block.
    @Test func stopWithinAFile() throws {
        let folder = try TemporaryFolder()
        let checkpoints = CheckpointFolder(folder.path, keep: 2)
        try checkpoints.save(step: 1, parts: parts(step: 1))
        for length in [0, 1, 100, 4096] {
            let torn = CheckpointPart("torn") { path in
                try Files.write(repeatElement(7, count: length), to: path)
                throw RunError("the writer failed")
            }
            #expect(throws: RunError("the writer failed")) {
                try checkpoints.save(step: 2, parts: parts(step: 2) + [torn])
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["step-1"])
        }
    }

    /// The disk is full at each operation in turn: the error says so, the old one stays, nothing is left over.
    @Test func fullDiskAtAnyOperation() throws {
        for count in 0... {
            let folder = try TemporaryFolder()
            let calm = CheckpointFolder(folder.path, keep: 2)
            try calm.save(step: 1, parts: parts(step: 1))
            let full = FileError(action: "writing", path: "the file", code: ENOSPC)
            let stop = Stop(after: count, failure: full, forGood: false)
            let stopped = CheckpointFolder(folder.path, keep: 2) { try stop($0) }
            do {
                try stopped.save(step: 2, parts: parts(step: 2))
                break
            } catch {
                #expect(
                    "\(error)"
                        == "The checkpoint of step 2 was not saved: writing the file failed: the disk is full; make room or take another place."
                )
            }
            #expect(try calm.newest { _ in }.map(isWhole) == true)
            let renamed = stop.operations[count].hasPrefix("synchronize \(folder.path)") && count > 10
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(
                names == ["step-1"] || (renamed && names == ["step-1", "step-2"]), "\(names) at \(count)")
        }
    }

    @Test func everyFlippedByteIsFoundAndTheOneBeforeUsed() throws {
        let folder = try TemporaryFolder()
        let checkpoints = CheckpointFolder(folder.path, keep: 2)
        for step in 1...2 { try checkpoints.save(step: step, parts: parts(step: step)) }
        let names = try checkpoints.checkpoint(step: 2).files + ["manifest.json"]
        for name in names {
            let path = "\(folder.path)/step-2/\(name)"
            let bytes = folder.bytes("step-2/\(name)")
            // Each byte of the manifest, and bytes all over the other files.
            let places =
                name == "manifest.json"
                ? Array(bytes.indices) : Array(stride(from: 0, to: bytes.count, by: 97))
            for place in places + [bytes.count - 1] {
                var damaged = bytes
                damaged[place] ^= 1
                try Data(damaged).write(to: URL(fileURLWithPath: path))
                var warnings: [String] = []
                let found = try checkpoints.newest { warnings.append($0) }
                #expect(found?.step == 1, "\(name) at \(place)")
                #expect(warnings.count == 1 && warnings[0].contains("step-2"))
                #expect(name == "manifest.json" || warnings.first?.contains(name) == true)
                #expect(warnings.first?.hasSuffix("The checkpoint of step 1 is used instead.") == true)
            }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
        }
        #expect(try checkpoints.newest { Issue.record("\($0)") }?.step == 2)
    }

    enum Damage: CaseIterable { case cut, grown, empty, missing, folder }

    @Test(arguments: Damage.allCases)
    func otherDamageIsFound(damage: Damage) throws {
        for name in parts(step: 2).map(\.name) + ["manifest.json"] {
            let folder = try TemporaryFolder()
            let checkpoints = CheckpointFolder(folder.path, keep: 2)
            for step in 1...2 { try checkpoints.save(step: step, parts: parts(step: step)) }
            let path = "\(folder.path)/step-2/\(name)"
            let bytes = folder.bytes("step-2/\(name)")
            try FileManager.default.removeItem(atPath: path)
            switch damage {
            case .cut: try Data(bytes.dropLast()).write(to: URL(fileURLWithPath: path))
            case .grown: try Data(bytes + [0]).write(to: URL(fileURLWithPath: path))
            case .empty: try Data().write(to: URL(fileURLWithPath: path))
            case .missing: break
            case .folder:
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            }
            var warnings: [String] = []
            #expect(try checkpoints.newest { warnings.append($0) }?.step == 1)
            #expect(warnings.count == 1 && warnings[0].contains(name))
            #expect(throws: RunError.self) { try checkpoints.checkpoint(step: 2) }
            // With the other one damaged, too, there is none to go on from.
            try FileManager.default.removeItem(atPath: "\(folder.path)/step-1/state.json")
            #expect(throws: RunError.self) { try checkpoints.newest { _ in } }
            // A later save at the damaged step replaces it.
            try checkpoints.save(step: 2, parts: parts(step: 2))
            #expect(try checkpoints.newest { _ in }.map(isWhole) == true)
        }
    }

    @Test func damagedNewestDoesNotPushOutTheOneInUse() throws {
        let folder = try TemporaryFolder()
        let checkpoints = CheckpointFolder(folder.path, keep: 2)
        for step in [800, 900] { try checkpoints.save(step: step, parts: parts(step: step)) }
        try FileManager.default.removeItem(atPath: "\(folder.path)/step-900/state.json")
        let lean = CheckpointFolder(folder.path, keep: 1)
        try lean.save(step: 850, parts: parts(step: 850))
        #expect(try lean.steps() == [850, 900])
        #expect(try lean.newest { _ in }?.step == 850)
    }

    @Test(arguments: ["../x", "/x", "", ".", "a/../b", "a//b", "manifest.json", "a\0b"])
    func namesStayWithinTheFolder(name: String) throws {
        let folder = try TemporaryFolder()
        let part = CheckpointPart(name, bytes: [1])
        #expect(throws: RunError.self) {
            try CheckpointFolder(folder.path, keep: 1).save(step: 1, parts: [part])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func namesStandOnce() throws {
        let folder = try TemporaryFolder()
        let part = CheckpointPart("a", bytes: [1])
        #expect(throws: RunError.self) {
            try CheckpointFolder(folder.path, keep: 1).save(step: 1, parts: [part, part])
        }
    }

    #if compiler(>=6.2)
        /// Processes that are killed (kill -9) at random moments while they save; what is left is always whole.
        /// There are 20 of them, or as many as LANGEVIN_TEST_KILLS says.
        @Test func killedProcessesLeaveWholeCheckpoints() async throws {
            let folder = try TemporaryFolder()
            setenv("LANGEVIN_TEST_SAVES", folder.path, 1)
            let checkpoints = CheckpointFolder(folder.path, keep: 2)
            var newest = 0
            let kills = ProcessInfo.processInfo.environment["LANGEVIN_TEST_KILLS"].flatMap(Int.init) ?? 20
            for _ in 0..<kills {
                await #expect(processExitsWith: .signal(SIGKILL)) {
                    let folder = CheckpointFolder(String(cString: getenv("LANGEVIN_TEST_SAVES")), keep: 2)
                    Thread.detachNewThread {
                        usleep(.random(in: 1_000...120_000))
                        kill(getpid(), SIGKILL)
                    }
                    try folder.sweep()
                    let start = try folder.steps().last ?? 0
                    for step in (start + 1)... { try folder.save(step: step, parts: parts(step: step)) }
                }
                try checkpoints.sweep()
                guard let found = try checkpoints.newest(warn: { Issue.record("\($0)") }) else { continue }
                #expect(try isWhole(found))
                #expect(found.step >= newest)
                newest = found.step
            }
            #expect(newest > 3)
        }

        /// A limit of the system on the length of files stands for a full disk: the writes themselves fail.
        @Test func filesThatCannotGrow() async throws {
            await #expect(processExitsWith: .success) {
                let folder = try TemporaryFolder()
                let checkpoints = CheckpointFolder(folder.path, keep: 2)
                try checkpoints.save(step: 1, parts: parts(step: 1))
                signal(SIGXFSZ, SIG_IGN)
                for length in [0, 1, 37, 100, 200] {
                    var limit = rlimit(rlim_cur: rlim_t(length), rlim_max: rlim_t.max >> 1)
                    getrlimit(limitOnFiles, &limit)
                    limit.rlim_cur = rlim_t(length)
                    setrlimit(limitOnFiles, &limit)
                    #expect(throws: RunError.self) { try checkpoints.save(step: 2, parts: parts(step: 2)) }
                    limit.rlim_cur = limit.rlim_max
                    setrlimit(limitOnFiles, &limit)
                    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["step-1"])
                    #expect(try checkpoints.newest { _ in }.map(isWhole) == true)
                }
            }
        }
    #endif
}

#if canImport(Darwin)
    private let limitOnFiles = RLIMIT_FSIZE
#else
    private let limitOnFiles = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
#endif

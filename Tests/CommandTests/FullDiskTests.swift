import Foundation
import TestSupport
import Testing

#if os(Linux)
    /// Row H12 of the reliability plan: training on a disk that fills up, a small file system in memory.
    @Suite struct FullDiskTests {
        /// Whether this process may mount a file system that it alone sees.
        private static let canMount = (try? shell("unshare -m mount -t tmpfs none /mnt")) == 0

        private static func shell(_ script: String, _ arguments: String...) throws -> Int32 {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.currentDirectoryURL = URL(fileURLWithPath: Program.root)
            process.arguments = ["-c", script, "sh"] + arguments
            (process.standardError, process.standardOutput) = (FileHandle.nullDevice, FileHandle.nullDevice)
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus
        }

        /// H12. Wherever the disk is full, training goes on, the end says what is missing, and when there is room again the
        /// run ends as if nothing had been.
        @Test(.enabled(if: canMount, "no file system can be mounted here"))
        func trainingGoesOn() throws {
            let (tiny, folder) = (try TinyModel(), try TemporaryFolder())
            let changes = ["steps=6", "log_every=1", "sample_every=1", "checkpoint_every=2"]
            let train = [tiny.folder("recipe.yaml")] + changes.flatMap { ["--set", "training." + $0] }
            #expect(try Program.run(["train", "--out", folder("whole")] + train).code == 0)
            let weights = "/model/unet/diffusion_pytorch_model.safetensors"
            let expected = folder.bytes("whole" + weights)
            var codes: Set<String> = []
            for kilobytes in [24, 48, 64, 80, 96, 112, 128, 160, 192, 256, 320, 4096] {
                let results = try folder.makeFolder("\(kilobytes)")
                let script = """
                    mkdir "$1/disk" && mount -t tmpfs -o size=\(kilobytes)k none "$1/disk" || exit 99
                    run() { '\(Program.path)' train --out "$here/disk/run" "$@"; }
                    here="$1"; shift
                    run "$@" 2>"$here/full"; echo $? >"$here/code"
                    mount -o remount,size=64M "$here/disk"
                    run --resume "$@" 2>"$here/again"; code=$?
                    cp -r "$here/disk/run" "$here/run"; exit $code
                    """
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                process.currentDirectoryURL = URL(fileURLWithPath: Program.root)
                process.arguments = ["unshare", "-m", "sh", "-c", script, "sh", results] + train
                try process.run()
                process.waitUntilExit()
                func text(_ name: String) -> String {
                    String(decoding: folder.bytes("\(kilobytes)/\(name)"), as: UTF8.self)
                }
                #expect(process.terminationStatus == 0, "\(kilobytes): \(text("again"))")
                try checkFirst(code: text("code"), messages: text("full"))
                codes.insert(text("code"))
                #expect(folder.bytes("\(kilobytes)/run" + weights) == expected, "\(kilobytes)")
                try checkRecords(of: "\(kilobytes)/run", in: folder)
            }
            // The disks were small enough to begin on and too small to end on, and one was neither.
            #expect(codes.isSuperset(of: ["0\n", "1\n"]), "\(codes)")
        }

        private func checkFirst(code: String, messages: String) throws {
            switch code {
            // Nothing could be written at all.
            case "2\n": #expect(messages.contains("the disk is full"), "\(messages)")
            case "1\n":
                #expect(messages.contains("warning: "), "\(messages)")
                #expect(messages.contains("error: The run in "), "\(messages)")
                #expect(messages.contains("100% 6/6"), "\(messages)")
                // A line for what cannot be written, not for each step.
                #expect(messages.split(separator: "\n").count < 30, "\(messages)")
            default: #expect(code == "0\n", "\(messages)")
            }
        }

        /// Metrics and events are whole lines and records, and nothing unfinished is left.
        private func checkRecords(of run: String, in folder: TemporaryFolder) throws {
            let lines = folder.bytes(run + "/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
            var last = 0
            for line in lines {
                let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
                let step = try #require(object?["step"] as? Int)
                #expect(step > last)
                last = step
            }
            for name in try folderNames(folder(run)) where name.contains("tfevents") {
                var rest = folder.bytes("\(run)/\(name)")[...]
                while !rest.isEmpty {
                    let length = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
                    try #require(rest.count >= length + 16, "\(run)/\(name)")
                    rest = rest.dropFirst(length + 16)
                }
            }
            for inner in ["", "/checkpoints"] {
                #expect(try !folderNames(folder(run + inner)).contains { $0.contains("tmp-") })
            }
        }
    }
#endif

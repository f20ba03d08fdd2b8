import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Row H9 of the reliability plan: standard streams that cannot be written to, and what is written to them.
@Suite struct StreamTests {
    /// A run that no test changes.
    private static let tiny = Result { try TinyModel() }

    /// What can be wrong with a stream.
    enum Fault: CaseIterable {
        case closed, full, pipeWithoutReader
    }

    /// Runs the program in a folder with a stream that cannot be written to.
    /// - Parameter stream: 1 or 2.
    /// - Returns: the exit code, and what went to the other stream.
    private func run(
        _ arguments: [String], _ fault: Fault, of stream: Int, in folder: TemporaryFolder
    ) throws -> (code: Int, text: String) {
        let call = "'\(Program.path)' " + arguments.map { "'\($0)'" }.joined(separator: " ")
        let (code, text) = (folder("code"), folder("text"))
        let line =
            switch (fault, stream) {
            case (.closed, 1): "\(call) >&- 2>'\(text)'; echo $? >'\(code)'"
            case (.closed, _): "\(call) 2>&- >'\(text)'; echo $? >'\(code)'"
            case (.full, 1): "\(call) >/dev/full 2>'\(text)'; echo $? >'\(code)'"
            case (.full, _): "\(call) 2>/dev/full >'\(text)'; echo $? >'\(code)'"
            // The reader is gone before anything is written.
            case (.pipeWithoutReader, 1):
                "{ sleep 0.2; \(call) 2>'\(text)'; echo $? >'\(code)'; } | true"
            case (.pipeWithoutReader, _):
                "{ sleep 0.2; \(call) 2>&1 >'\(text)'; echo $? >'\(code)'; } | true"
            }
        try shell(line)
        let digits = String(decoding: folder.bytes("code"), as: UTF8.self)
        return (
            try #require(Int(digits.trimmingCharacters(in: .newlines))),
            String(decoding: folder.bytes("text"), as: UTF8.self)
        )
    }

    private func shell(_ line: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.currentDirectoryURL = URL(fileURLWithPath: Program.root)
        process.arguments = ["-c", line]
        try process.run()
        process.waitUntilExit()
    }

    /// H9. A message that nobody gets changes nothing.
    @Test(arguments: Fault.allCases)
    func messagesThatCannotBeWritten(fault: Fault) throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        func run(_ arguments: String...) throws -> (code: Int, text: String) {
            try self.run(arguments, fault, of: 2, in: folder)
        }
        let sample = ["sample", tiny.run, "--steps", "2", "--seed", "-1", "--json", "-o"]
        let picture = try self.run(sample + [folder("x.png")], fault, of: 2, in: folder)
        #expect(picture.code == 0 && picture.text.contains("x.png") && !folder.bytes("x.png").isEmpty)
        #expect(try run("convert", tiny.model, folder("model")).code == 0)
        #expect(try run("inspect", folder("nothing")).code == 2)
        // The run is whole.
        #expect(try run("train", tiny.folder("recipe.yaml"), "--out", folder("run")).code == 0)
        let weights = "/model/unet/diffusion_pytorch_model.safetensors"
        #expect(folder.bytes("run" + weights) == tiny.folder.bytes("run" + weights))
        let resumed = try Program.run(
            "train", tiny.folder("recipe.yaml"), "--out", folder("run"), "--resume")
        #expect(resumed.code == 0 && resumed.messages.contains("is complete"), "\(resumed.messages)")
    }

    /// H9. A result that nobody gets is an error that is not about the input; what was written stays.
    @Test(arguments: Fault.allCases)
    func resultsThatCannotBeWritten(fault: Fault) throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        let calls: [[String]] = [
            ["sample", tiny.run, "--steps", "2", "--json", "-o", folder("x.png")],
            ["train", tiny.folder("recipe.yaml"), "--out", folder("run"), "--json"],
            ["inspect", tiny.run], ["inspect", tiny.run, "--json"],
            ["order", "--solver", "euler", "--schedule", "vp", "--prediction", "noise"],
            ["order", "--solver", "euler", "--schedule", "vp", "--prediction", "noise", "--json"],
            ["--help"], ["--version"], ["sample", "--help"], ["help", "train"],
        ]
        for call in calls {
            let (code, messages) = try run(call, fault, of: 1, in: folder)
            #expect(code == 1, "\(call): \(messages)")
            #expect(messages.contains("error: the result was not printed: standard output"), "\(messages)")
        }
        #expect(!folder.bytes("x.png").isEmpty)
        let model = folder.bytes("run/model/unet/diffusion_pytorch_model.safetensors")
        #expect(model == tiny.folder.bytes("run/model/unet/diffusion_pytorch_model.safetensors"))
    }

    /// H9. No file gets the number of a stream that was closed, and with it the messages.
    @Test func streamsThatAreClosed() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        let plain = ["sample", tiny.run, "--steps", "2", "--count", "3", "-o"]
        #expect(try Program.run(plain + [folder("plain.safetensors")]).code == 0)
        for (index, streams) in ["<&- >&- 2>&-", ">&- 2>&-", "<&- 2>&-", "<&- >&-"].enumerated() {
            let output = folder("\(index).safetensors")
            let sample = plain.map { "'\($0)'" }.joined(separator: " ")
            let train =
                "train '\(tiny.folder("recipe.yaml"))' --out '\(folder("run\(index)"))' --set training.steps=5 --set training.checkpoint_every=1"
            try shell(
                "'\(Program.path)' \(sample) '\(output)' \(streams); '\(Program.path)' \(train) \(streams)")
            #expect(folder.bytes("\(index).safetensors") == folder.bytes("plain.safetensors"), "\(streams)")
            let inspected = try Program.run("inspect", folder("run\(index)"))
            #expect(inspected.code == 0, "\(streams): \(inspected.messages)")
            for line in String(decoding: folder.bytes("run\(index)/metrics.jsonl"), as: UTF8.self).split(
                separator: "\n")
            { #expect(line.hasPrefix("{") && line.hasSuffix("}"), "\(streams): \(line)") }
        }
    }

    /// Whatever an argument or a file holds, a message is one line that ends and moves no cursor.
    @Test func messagesAreOneShortLine() throws {
        let folder = try TemporaryFolder()
        let name = "a\u{1B}[2Jb\nerror: forged\r\u{202E}\u{9B}"
        for call in [
            ["inspect", folder(name)], ["sample", name, "-o", folder("x.png")],
            ["sample", "m", "--solver", name, "-o", folder("x.png")], ["train", folder(name)],
            ["sample", "m", "--\(name)"], [name],
            ["sample", "m", "--device", name, "-o", folder("x.png")],
        ] {
            let outcome = try Program.run(call)
            #expect(outcome.code == 2, "\(call)")
            let lines = outcome.messages.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count == 2 && lines[0].hasPrefix("error: ") && lines[1].isEmpty, "\(lines)")
            let hidden = outcome.messages.unicodeScalars.filter {
                $0 != "\n" && ($0.value < 0x20 || [0x7F, 0x9B, 0x202E].contains($0.value))
            }
            #expect(hidden.isEmpty, "\(call): \(hidden)")
        }
        let long = String(repeating: "abc ", count: 25_000)
        let outcome = try Program.run("sample", "m", "--solver", long, "-o", folder("x.png"))
        #expect(outcome.code == 2 && outcome.messages.unicodeScalars.count < 1100)
        #expect(outcome.messages.contains("characters left out"), "\(outcome.messages)")
        // What is wrong and what to do stand at the end.
        try Program.expectRefused(["train", long], "the name is too long; give a shorter one")
    }

    /// A result moves no cursor either, whatever the names in a file are.
    @Test func resultsMoveNoCursor() throws {
        let folder = try TemporaryFolder()
        let name = "a\u{1B}[2Jb\r\u{9B}"
        let path = folder("x.safetensors")
        try SafetensorsWriter([(name, Tensor.zeros([2]))], metadata: [name: name]).write(to: path)
        let text = try Program.run("inspect", path)
        #expect(text.code == 0)
        let hidden = text.output.unicodeScalars.filter { $0 != "\n" && ($0.value < 0x20 || $0.value == 0x9B) }
        #expect(hidden.isEmpty && text.output.contains("a\\u{1b}[2Jb"), "\(text.output)")
        // JSON keeps the name as it is.
        let tensors = try Program.run("inspect", path, "--json").json()["tensors"] as? [[String: Any]]
        #expect(tensors?.first?["name"] as? String == name)
    }
}

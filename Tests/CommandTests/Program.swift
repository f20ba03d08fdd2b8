import Foundation
import TestSupport
import Testing

/// The program as a person meets it. `make test` builds it first.
struct Program {
    /// What a call left behind.
    struct Outcome {
        let code: Int32
        let output: String
        let messages: String

        /// The output as the JSON object that `--json` prints.
        func json() throws -> [String: Any] {
            try #require(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
        }
    }

    static let root = URL(fileURLWithPath: fixturePath("../..")).standardizedFileURL.path

    /// Runs the program in the project's folder.
    static func run(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
        try run(arguments, environment: environment)
    }

    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
        let process = Process()
        let path =
            ProcessInfo.processInfo.environment["LANGEVIN_PROGRAM"] ?? root + "/.build/release/langevin"
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: root)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        // Files instead of pipes: neither can fill up while the other is read.
        let folder = try TemporaryFolder()
        let files = ["out", "err"].map { URL(fileURLWithPath: folder($0)) }
        for file in files { try Data().write(to: file) }
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        try process.run()
        process.waitUntilExit()
        let texts = try files.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
        return Outcome(code: process.terminationStatus, output: texts[0], messages: texts[1])
    }

    /// Expects a call to be refused: exit code 2, one sentence that holds `words`, no result.
    static func expectRefused(
        _ arguments: [String], _ words: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let outcome = try run(arguments)
        let call = arguments.joined(separator: " ")
        #expect(outcome.code == 2, "\(call): \(outcome.messages)", sourceLocation: sourceLocation)
        #expect(outcome.output.isEmpty, "\(call)", sourceLocation: sourceLocation)
        let sentence = outcome.messages.trimmingCharacters(in: .newlines)
        #expect(!sentence.isEmpty, "\(call)", sourceLocation: sourceLocation)
        #expect(!sentence.contains("\n"), "\(call): \(sentence)", sourceLocation: sourceLocation)
        #expect(sentence.contains(words), "\(call): \(sentence)", sourceLocation: sourceLocation)
        #expect(!sentence.contains("Fatal error"), "\(call): \(sentence)", sourceLocation: sourceLocation)
    }
}

/// A model of a few hundred parameters in a folder, as the program writes one.
struct TinyModel {
    let folder: TemporaryFolder
    /// The run folder.
    let run: String
    /// The model's folder inside it.
    var model: String { run + "/model" }

    init(classes: Bool = false, schedule: String = "linear") throws {
        folder = try TemporaryFolder()
        run = folder("run")
        let recipe = try folder.write(
            "recipe.yaml",
            """
            model:
              kind: unet2d
              class_conditional: \(classes)
              in_channels: 1
              out_channels: 1
              block_out_channels: [8, 8]
              layers_per_block: 1
              norm_num_groups: 4
              attention_head_dim: 4
              down_block_types: [DownBlock2D, AttnDownBlock2D]
              up_block_types: [AttnUpBlock2D, UpBlock2D]
            diffusion: {train_steps: 50, schedule: \(schedule)}
            training: {steps: 3, batch_size: 4, checkpoint_every: 0, sample_every: 0, threads: 1}
            evaluation: {steps: 2, count: 10}
            """.utf8)
        let outcome = try Program.run("train", recipe, "--out", run)
        try #require(outcome.code == 0, "\(outcome.messages)")
    }
}

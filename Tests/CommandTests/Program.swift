import Foundation
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The program as a person meets it. `make test` builds it first.
struct Program {
    /// What a call left behind.
    struct Outcome {
        let code: Int32
        let output: String
        let messages: String
        /// The time that it had of a processor.
        let seconds: Double
        /// The most memory that it had, in bytes.
        let peakByteCount: Int

        /// The output as the JSON object that `--json` prints.
        func json() throws -> [String: Any] {
            try #require(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
        }
    }

    static let root = URL(fileURLWithPath: fixturePath("../..")).standardizedFileURL.path

    /// The program runs where the tests do, and that is the project's folder.
    private static let home = chdir(root)

    /// The program's file.
    static let path =
        ProcessInfo.processInfo.environment["LANGEVIN_PROGRAM"] ?? root + "/.build/release/langevin"

    /// Runs the program in the project's folder.
    static func run(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
        try run(arguments, environment: environment)
    }

    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
        try run(bytes: arguments.map { Array($0.utf8) }, environment: environment)
    }

    /// Runs the program with arguments that need not be text.
    /// - Parameter output: a file for its standard output, which is not read then.
    static func run(
        bytes arguments: [[UInt8]], environment: [String: String] = [:], output: String? = nil
    ) throws -> Outcome {
        // Files instead of pipes: neither can fill up while the other is read.
        let folder = try TemporaryFolder()
        var actions = emptyActions
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        try #require(home == 0)
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 1, output ?? folder("out"), flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, folder("err"), flags, 0o600)
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let process = try withArray([Array(path.utf8)] + arguments) { words in
            try withArray(variables.map { Array("\($0)=\($1)".utf8) }) { variables in
                var process = pid_t()
                let code = posix_spawn(&process, path, &actions, nil, words, variables)
                try #require(code == 0, "\(path) cannot be run: \(String(cString: strerror(code)))")
                return process
            }
        }
        var (status, usage) = (Int32(), rusage())
        while wait4(process, &status, 0, &usage) < 0 { try #require(errno == EINTR) }
        let signal = status & 0x7F
        return Outcome(
            code: signal == 0 ? status >> 8 & 0xFF : signal,
            output: output == nil ? String(decoding: folder.bytes("out"), as: UTF8.self) : "",
            messages: String(decoding: folder.bytes("err"), as: UTF8.self),
            seconds: [usage.ru_utime, usage.ru_stime].reduce(0) {
                $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
            },
            peakByteCount: usage.ru_maxrss * unitOfMemory)
    }

    /// Runs a body with texts as C has them.
    private static func withArray<Result>(
        _ texts: [[UInt8]], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
    ) rethrows -> Result {
        let copies = texts.map { text in
            (text.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { strdup($0.baseAddress!) }
        }
        defer { for copy in copies { free(copy) } }
        return try body(copies + [nil])
    }

    #if canImport(Darwin)
        private static var emptyActions: posix_spawn_file_actions_t? { nil }
        private static let unitOfMemory = 1
    #else
        private static var emptyActions: posix_spawn_file_actions_t { posix_spawn_file_actions_t() }
        private static let unitOfMemory = 1024
    #endif

    /// What a call takes that has nothing to do.
    static let idle = Result { try run("--version") }

    /// Expects a call to be refused: exit code 2, one sentence that holds `words`, no result, and that in a second
    /// and 64 MiB more than the program itself needs.
    static func expectRefused(
        _ arguments: [String], _ words: String, environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let call = arguments.joined(separator: " ")
        try expectRefusal(
            run(arguments, environment: environment), of: call, words, sourceLocation: sourceLocation)
    }

    /// Expects what a call left behind to be a refusal.
    static func expectRefusal(
        _ outcome: Outcome, of call: String, _ words: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(outcome.code == 2, "\(call): \(outcome.messages)", sourceLocation: sourceLocation)
        #expect(outcome.output.isEmpty, "\(call)", sourceLocation: sourceLocation)
        let sentence = outcome.messages.trimmingCharacters(in: .newlines)
        #expect(!sentence.isEmpty, "\(call)", sourceLocation: sourceLocation)
        #expect(!sentence.contains("\n"), "\(call): \(sentence)", sourceLocation: sourceLocation)
        #expect(sentence.contains(words), "\(call): \(sentence)", sourceLocation: sourceLocation)
        #expect(!sentence.contains("Fatal error"), "\(call): \(sentence)", sourceLocation: sourceLocation)
        let idle = try idle.get()
        let seconds = outcome.seconds - idle.seconds
        #expect(seconds < 1, "\(call) took \(seconds) seconds", sourceLocation: sourceLocation)
        let memory = outcome.peakByteCount - idle.peakByteCount
        #expect(memory < 64 << 20, "\(call) took \(memory) bytes", sourceLocation: sourceLocation)
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

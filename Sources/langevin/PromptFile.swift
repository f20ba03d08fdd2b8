import Pipelines
import Storage

/// A text file with a prompt on each line.
enum PromptFile {
    /// The lines that are not empty.
    /// - Throws: `FileError` where it cannot be read; `PipelineError` where it holds no prompt, or is no text.
    static func lines(of path: String) throws -> [String] {
        let bytes = try Files.read(path, atMost: 16 << 20)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PipelineError("--prompts \(path) is no UTF-8 text: give a file with a prompt on each line")
        }
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
            .filter { !$0.allSatisfy(\.isWhitespace) }
        guard !lines.isEmpty else {
            throw PipelineError("--prompts \(path) holds no prompt: write one on each line")
        }
        return lines
    }
}

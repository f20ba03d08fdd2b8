import ArgumentParser
import Foundation
import Storage

/// Standard output, where results go, and standard error, where messages go.
enum Streams {
    /// Makes both streams safe to write to.
    ///
    /// A stream that the caller has closed is opened so that writing to it fails, as it would have: otherwise the next
    /// file that is opened (a checkpoint, a picture) would have its number and receive what is meant for the stream.
    /// A pipe that nobody reads and a file that may not grow are errors, not the end of the program.
    static func prepare() {
        for (stream, flags) in [
            (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY),
        ] where fcntl(stream, F_GETFD) == -1 {
            // The lowest free number is taken, and those below are open by now.
            _ = open("/dev/null", flags)
        }
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Makes sure that as many files may be open at once as threads, a model and a run need: with fewer, the system's
    /// library that wakes threads ends the program.
    /// - Throws: `OpenFilesError` where the system allows fewer.
    static func prepareOpenFiles() throws {
        #if canImport(Darwin)
            let openFiles = RLIMIT_NOFILE
        #else
            let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #endif
        let least: rlim_t = 32
        var limit = rlimit()
        guard getrlimit(openFiles, &limit) == 0, limit.rlim_cur < least else { return }
        let allowed = limit.rlim_cur
        limit.rlim_cur = least
        guard limit.rlim_max >= least, setrlimit(openFiles, &limit) == 0 else {
            throw OpenFilesError(
                description:
                    "only \(allowed) files may be open at once here, and \(least) are needed: raise the limit (ulimit -n \(least))"
            )
        }
    }

    /// A message in one line: whatever a file, an argument or a library put into it, it moves no cursor, looks like no
    /// other message, and ends. Of a long one the beginning and the end are kept, which says what to do.
    static func message(_ text: String) -> String {
        let (longest, start, end) = (1000, 600, 350)
        let line = printable(text)
        let characters = line.unicodeScalars
        guard characters.count > longest else { return line }
        let (first, last) = (characters.prefix(start), characters.suffix(end))
        return "\(String(first))… (\(characters.count - start - end) characters left out) …\(String(last))"
    }
}

/// A line on standard error, where messages go. Nothing depends on whether it arrives.
func say(_ line: String) {
    show(Streams.message(line) + "\n")
}

/// Text for a terminal on standard error, as it is.
func show(_ text: String) {
    try? Files.write(text.utf8, to: STDERR_FILENO, "standard error")
}

/// A limit of the system under which the program cannot run.
struct OpenFilesError: Error, CustomStringConvertible {
    let description: String
}

/// A result that could not be handed over. What was computed and written before stays.
struct ResultError: Error, CustomStringConvertible {
    let description: String
}

/// Lines for a person on standard output, where results go.
/// - Throws: `ResultError` where they cannot be written.
func printResult(_ text: String) throws {
    try handOver(printableLines(text))
}

/// One JSON object on standard output.
/// - Throws: `ResultError` where it cannot be written.
func printJSON(_ value: some Encodable) throws {
    try printJSON(text: String(decoding: try sortedJSON(value), as: UTF8.self))
}

/// Prints a JSON object that is text already.
/// - Throws: `ResultError` where it cannot be written.
func printJSON(text: String) throws { try handOver(printableJSON(text)) }

private func handOver(_ result: String) throws {
    do {
        try Files.write((result + "\n").utf8, to: STDOUT_FILENO, "standard output")
    } catch {
        throw ResultError(description: "the result was not printed: \(error)")
    }
}

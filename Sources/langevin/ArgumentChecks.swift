import Foundation
import Pipelines

/// What can be wrong with a command line whatever its words mean.
enum ArgumentChecks {
    /// Throws where an argument is not UTF-8: a file's name of other bytes would be changed on its way here.
    static func checkText() throws {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let bytes = CommandLine.unsafeArgv[index], String(validatingCString: bytes) == nil else {
                continue
            }
            throw PipelineError(
                "argument \(index), '\(String(cString: bytes))', is not UTF-8: give the file another name")
        }
    }
}

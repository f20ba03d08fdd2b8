/// Why a checkpoint, an index or a configuration was refused or could not be written.
///
/// The text is one sentence that names the file, the key or place in it, and what to do.
public struct CheckpointError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or folder meant, as it was given.
    public let place: String
    /// What is wrong with it, and what to do.
    public let problem: String

    /// Makes an error about a file or folder.
    public init(_ place: String, _ problem: String) {
        self.place = place
        self.problem = problem
    }

    /// The place and the problem.
    public var description: String {
        place.isEmpty ? problem : "\(place): \(problem)"
    }
}

/// A name from a file as it may stand in a message: quoted, without control characters, and cut
/// where it is long, because names in files from others can hold anything.
package func quoted(_ name: String) -> String {
    let limit = 100
    var text = "\""
    var count = 0
    for scalar in name.unicodeScalars {
        if count == limit {
            text += "…"
            break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
            text += "\\u{\(String(scalar.value, radix: 16))}"
        default:
            text.unicodeScalars.append(scalar)
        }
        count += 1
    }
    return text + "\""
}

/// The first twenty names of a list, and how many more there are.
package func listed(_ names: some Collection<String>) -> String {
    let limit = 20
    let shown = names.prefix(limit).map(quoted).joined(separator: ", ")
    return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
}

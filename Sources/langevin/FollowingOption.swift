import ArgumentParser

/// A kind of option that stands behind another one and belongs to it, such as the steps of a `--then`. `CommandWords` finds them
/// by their places, which the parser does not tell, and hands each on as one option with three words.
protocol FollowingOption {
    /// The option by which the parser gets them.
    static var name: String { get }
    /// The option that they stand behind.
    static var leader: String { get }
    /// Whether an option of this kind takes a value; `nil` of all other options.
    static func takesValue(_ option: String) -> Bool?
    /// Whether an option may stand behind one leader several times.
    static var isRepeating: Bool { get }
}

extension FollowingOption {
    static var isRepeating: Bool { false }
}

/// Every kind.
let followingOptions: [any FollowingOption.Type] = [
    StageOption.self, ControlNetOption.self, AdapterControlOption.self, ImagePromptOption.self,
]

extension FollowingOption {
    /// The word by which the parser gets an option behind the leader of a number.
    static func word(_ number: Int, _ option: String, _ value: String) -> String {
        "--\(name)=\(number) \(option) \(value)"
    }

    /// The number of the leader, the option and its value.
    static func parts(of argument: String) throws -> (Int, String, String) {
        let parts = argument.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let number = Int(parts[0]) else {
            throw ValidationError("such options stand behind \(leader)")
        }
        return (number, String(parts[1]), String(parts[2]))
    }
}

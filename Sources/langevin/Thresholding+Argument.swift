import ArgumentParser
import Diffusion

extension Thresholding: ExpressibleByArgument {
    /// `static`, `static:1.5`, `dynamic`, `dynamic:0.995` or `dynamic:0.995:100`.
    public init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let numbers = parts.dropFirst().compactMap(Double.init)
        guard numbers.count == parts.count - 1, let make = Self.forms[parts[0]],
            let made = make(numbers)
        else { return nil }
        self = made
    }

    /// How each form is made of its numbers; `nil` where there are too many.
    private static let forms: [String: @Sendable ([Double]) -> Thresholding?] = [
        "static": { $0.count > 1 ? nil : .fixed(range: $0.first ?? 1) },
        "dynamic": { numbers in
            guard numbers.count < 3 else { return nil }
            return .dynamic(
                quantile: numbers.first ?? 0.995,
                maximum: numbers.count > 1 ? numbers[1] : 1e6)
        },
    ]

    /// What can be given.
    public static var allValueStrings: [String] { ["static", "dynamic"] }
}

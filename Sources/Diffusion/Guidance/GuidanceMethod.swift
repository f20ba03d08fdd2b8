/// A method of guidance: a row with its name, which branches of the model it evaluates, which options it reads, and how
/// one denoiser is made of them.
///
/// A new method is a `Guidance` in a file of its own, its test, and a row of `GuidanceMethod.allCases`.
public struct GuidanceMethod: Sendable {
    /// The name that users type (`--guidance-method`).
    public let name: String
    /// What it does, in a line.
    public let summary: String
    /// The branches of the model, in the order in which they pass through the network.
    public let branches: [GuidanceBranch]
    /// The options that it reads; it refuses all others.
    public let reads: Set<GuidanceOption>
    /// The options that must be given.
    public let needs: Set<GuidanceOption>
    /// The scale at which the guided estimate is that of `neutralBranch` alone, `nil` where there is none.
    public let neutralScale: Double?
    /// The branch that is guided.
    public let neutralBranch: GuidanceBranch
    /// The scale where none is given, `nil` where the model's own fits.
    public let usualScale: Double?
    /// Whether data and noise of its estimate come from different branches, which only a method whose
    /// `stepsFromEstimate` can follow.
    public let separatesEstimate: Bool
    private let make: @Sendable (GuidanceSettings, GuidanceParts) -> Denoiser

    /// A method.
    /// - Parameters:
    ///   - summary: what it does, in a line.
    ///   - make: one denoiser of the parts that `branches` and `needs` name.
    public init(
        _ name: String, _ summary: String, branches: [GuidanceBranch],
        reads: Set<GuidanceOption> = [], needs: Set<GuidanceOption> = [], neutralScale: Double? = nil,
        neutralBranch: GuidanceBranch = .conditional, usualScale: Double? = nil,
        separatesEstimate: Bool = false,
        make: @escaping @Sendable (GuidanceSettings, GuidanceParts) -> Denoiser
    ) {
        (self.name, self.summary, self.branches) = (name, summary, branches)
        (self.reads, self.needs) = (reads.union(needs), needs)
        (self.neutralScale, self.neutralBranch) = (neutralScale, neutralBranch)
        (self.usualScale, self.separatesEstimate) = (usualScale, separatesEstimate)
        self.make = make
    }

    /// The guided denoiser of parts.
    /// - Precondition: the parts hold what the method needs.
    func denoiser(_ settings: GuidanceSettings, _ parts: GuidanceParts) -> Denoiser { make(settings, parts) }
}

extension GuidanceMethod: RawRepresentable, CaseIterable, Codable, Hashable {
    /// The name.
    public var rawValue: String { name }

    /// The method of a name, `nil` where there is none.
    public init?(rawValue name: String) {
        guard let found = GuidanceMethod.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// Methods are the same where their names are.
    public static func == (left: GuidanceMethod, right: GuidanceMethod) -> Bool { left.name == right.name }

    /// By the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

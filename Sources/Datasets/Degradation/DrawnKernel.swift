import Tensors

/// A kind of kernel that a degradation draws.
struct DrawnKernel: Sendable {
    /// How its weights fall.
    let profile: BlurKernel.Profile
    /// Whether it is as wide in all directions.
    let isIsotropic: Bool
    /// The powers β that it is drawn with; `nil` where it has none.
    let powers: (@Sendable (Degradation.Blur) -> ClosedRange<Double>)?

    /// Every kind, in the order of `Degradation.Blur.shares`.
    static let all = [
        DrawnKernel(profile: .gaussian, isIsotropic: true, powers: nil),
        DrawnKernel(profile: .gaussian, isIsotropic: false, powers: nil),
        DrawnKernel(profile: .generalized, isIsotropic: true) { $0.generalizedPowers },
        DrawnKernel(profile: .generalized, isIsotropic: false) { $0.generalizedPowers },
        DrawnKernel(profile: .plateau, isIsotropic: true) { $0.plateauPowers },
        DrawnKernel(profile: .plateau, isIsotropic: false) { $0.plateauPowers },
    ]

    private init(
        profile: BlurKernel.Profile, isIsotropic: Bool,
        powers: (@Sendable (Degradation.Blur) -> ClosedRange<Double>)?
    ) {
        (self.profile, self.isIsotropic, self.powers) = (profile, isIsotropic, powers)
    }

    /// A kernel of a side.
    func drawn(_ blur: Degradation.Blur, side: Int, _ draw: PictureDraw) throws -> BlurKernel {
        let width = try draw.number(in: blur.deviations)
        let height = try isIsotropic ? width : draw.number(in: blur.deviations)
        let angle = try isIsotropic ? 0 : draw.number(in: -Double.pi...Double.pi)
        var power = 1.0
        if let range = powers?(blur) {
            // Half of the powers lie below 1, however far the range reaches above it.
            power = try draw.number(
                in: draw.happens(0.5) ? range.lowerBound...1 : 1...range.upperBound)
        }
        return .turned(profile, side: side, deviations: (width, height), angle: angle, power: power)
    }
}

/// The draws of one picture.
struct PictureDraw {
    let generator: RandomGenerator

    /// A number uniform in a range.
    func number(in range: ClosedRange<Double>) throws -> Double {
        let share = try generator.uniform([1], .float64).item(Double.self)
        return range.lowerBound + (range.upperBound - range.lowerBound) * share
    }

    /// Whether something happens that has a probability.
    func happens(_ probability: Double) throws -> Bool { try number(in: 0...1) < probability }

    /// A place among shares whose sum is 1.
    func place(of shares: [Double]) throws -> Int {
        var rest = try number(in: 0...1)
        for (place, share) in shares.enumerated() {
            rest -= share
            if rest < 0 { return place }
        }
        return shares.count - 1
    }
}

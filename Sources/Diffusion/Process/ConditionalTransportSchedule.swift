import Foundation

/// The conditional paths of flow matching: α = 1 − t, σ = σ_min + (1 − σ_min)·t on 0 … 1, so that the data
/// keep a blur of σ_min. Time runs from data to noise, against the paper's.
/// Source: Lipman et al. 2022 (arXiv:2210.02747), equation 20.
public struct ConditionalTransportSchedule: ContinuousSchedule, Codable, Equatable {
    /// σ at time 0.
    public var sigmaMinimum: Double

    /// A path; at σ_min = 0 the straight one.
    public init(sigmaMinimum: Double = 1e-4) {
        self.sigmaMinimum = sigmaMinimum
    }

    enum CodingKeys: String, CodingKey { case sigmaMinimum = "sigma_min" }

    /// 1
    public var start: Double { 1 }
    /// α = 1 − t, σ = σ_min + (1 − σ_min)·t
    public func level(at time: Double) -> NoiseLevel {
        NoiseLevel(time: time, alpha: 1 - time, sigma: sigmaMinimum + (1 - sigmaMinimum) * time)
    }
    /// α′ = −1, σ′ = 1 − σ_min.
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) { (-1, 1 - sigmaMinimum) }
    /// Solves (1 − t)/(σ_min + (1 − σ_min)·t) = e^{λ/2}; 0 where no time has so little noise.
    public func time(logSNR: Double) -> Double {
        let inverse = exp(-logSNR / 2)
        return max(0, (inverse - sigmaMinimum) / (inverse + 1 - sigmaMinimum))
    }
}

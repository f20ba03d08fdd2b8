import Foundation

/// The learning rate of each step.
public struct LearningRate: Sendable, Equatable {
    /// What follows the warm-up.
    public enum Curve: String, RecipeChoice, CaseIterable {
        /// The same rate to the end.
        case constant
        /// Half a cosine down to 0 at the last step. Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5.
        case cosine
    }

    /// The rate after the warm-up.
    public var peak: Double
    /// Steps of linear growth from 0.
    public var warmupSteps: Int
    /// Steps in all.
    public var totalSteps: Int
    /// What follows the warm-up.
    public var curve: Curve

    /// A learning rate.
    public init(peak: Double, warmupSteps: Int = 0, totalSteps: Int, curve: Curve = .constant) {
        self.peak = peak
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
        self.curve = curve
    }

    /// The rate of a step, counted from 0.
    public func callAsFunction(_ step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step) / Double(max(warmupSteps, 1)) }
        switch curve {
        case .constant: return peak
        case .cosine:
            let progress = Double(step - warmupSteps) / Double(max(totalSteps - warmupSteps, 1))
            return peak * max(0, (1 + cos(.pi * progress)) / 2)
        }
    }
}

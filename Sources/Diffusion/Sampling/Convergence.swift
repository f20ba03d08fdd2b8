/// How a method's samples approach those of the exact probability flow as steps are added.
public enum Convergence: Sendable, Equatable {
    /// The error falls with this power of the number of steps, the method's own start and end included:
    /// a multistep method whose first step is Euler's has the error of that one step, hⁿ with n = 2,
    /// however high its order is later.
    case order(Int)
    /// The error is a tolerance's, not the number of steps'.
    case adaptive
    /// Fresh noise enters every step: samples approach a law, not the flow's image of their start.
    case stochastic
    /// Samples do not approach the flow: a distilled network is asked to jump.
    case none
}

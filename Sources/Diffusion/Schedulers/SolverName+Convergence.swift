extension SolverName {
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

    /// How this method converges with its own defaults, on smoothly spaced steps between two levels that
    /// both hold data and noise.
    public var convergence: Convergence {
        switch self {
        // Song et al. 2021 (arXiv:2010.02502), section 4.3: Euler's step of the flow in σ/α.
        case .ddim, .euler, .flowEuler: .order(1)
        // Karras et al. 2022 (arXiv:2206.00364), algorithm 1; Lu et al. 2022 (arXiv:2206.00927), theorem 3.2.
        case .heun, .dpm2, .edm, .flowHeun, .dpmSingle, .dpmPlusPlusSingle, .dpmFast: .order(2)
        // Multistep: the first step is of first order, with a local error of h².
        case .dpmPlusPlus2M, .lms, .plms, .unipc, .deis, .ipndm: .order(2)
        case .dpmAdaptive, .rk45: .adaptive
        case .ddpm, .eulerAncestral, .dpm2Ancestral, .dpmPlusPlus2SAncestral, .dpmPlusPlusSDE,
            .dpmPlusPlus2MSDE, .dpmPlusPlus3MSDE, .stochasticAdams, .eulerMaruyama, .predictorCorrector,
            .annealedLangevin:
            .stochastic
        case .consistency, .lcm, .tcd: .none
        }
    }
}

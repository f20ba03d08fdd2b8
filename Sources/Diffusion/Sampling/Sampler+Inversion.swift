import Tensors

/// How a method climbs from data to the noise that leads to them.
public enum Inversion: Sendable, Equatable {
    /// Each step evaluates the network at the time that it climbs to, as the step down from there did: DDIM inversion.
    /// Source: Song et al. 2021 (arXiv:2010.02502), section 4.3; Mokady et al. 2022 (arXiv:2211.09794), section 3.1.
    case heldTimes
    /// Each level has its own time: the method's steps on the probability flow, upwards.
    /// Source: Song et al. 2021 (arXiv:2011.13456), section 4.3.
    case ownTimes
}

extension Sampler {
    /// The sampler that climbs from data to noise through the levels of this one.
    ///
    /// It runs from `scaled(data)`, and what it reaches is a sample at the start of this sampler's grid
    /// (`unit(_:)` makes unit noise of it). Where the network gives no estimate of noise-free data, which is so at
    /// σ = 0 for one that predicts data, the climb begins at the least level with noise, with α·data: the flow below it
    /// is σ² away from that.
    /// - Parameter parameterization: what stands between samples and the network; `nil` for an exact model, whose
    ///   estimate is defined everywhere.
    /// - Throws: `DiffusionError` where the method adds noise, or has steps that cannot be taken upwards.
    public func inverted(_ parameterization: Parameterization? = nil) throws -> Sampler {
        guard let inversion = solver.inversion else {
            let methods =
                "ddim, euler, flow-euler, heun, edm, flow-heun, dpm2 and rk45 climb, without eta and churn"
            throw DiffusionError(
                field: "inversion",
                "is not possible by a method that adds noise or remembers steps: \(methods)")
        }
        var sampler = self
        switch inversion {
        case .heldTimes: sampler.grid = grid.inverted()
        case .ownTimes: sampler.grid = grid.reversed()
        }
        if let first = sampler.grid.steps.first, !(parameterization?.isDefined(at: first.from) ?? true) {
            sampler.grid = StepGrid(steps: Array(sampler.grid.steps.dropFirst()))
        }
        let (begins, ends) = (sampler.grid.steps.first?.from, grid.steps.last?.to)
        guard let begins, let ends else { return sampler }
        // A sample at the end of the grid is the data as it is, also where a little noise is left in it.
        let isSame = (begins.alpha, begins.sigma) == (ends.alpha, ends.sigma)
        sampler.grid = StepGrid(steps: sampler.grid.steps, startScale: isSame ? 1 : begins.alpha)
        return sampler
    }

    /// The unit noise of which `scaled(_:)` makes a sample.
    public func unit(_ sample: Tensor) -> Tensor {
        grid.startScale == 1 ? sample : sample / grid.startScale
    }
}

extension Parameterization {
    /// Whether data and noise follow from the network's output at a level, and the network has a time for it.
    func isDefined(at level: NoiseLevel) -> Bool {
        let scale = scaling.scale(of: level)
        return output.isDefined(at: level.divided(by: scale)) && time(level).isFinite
            && input(level.divided(by: scale)).isFinite
    }
}

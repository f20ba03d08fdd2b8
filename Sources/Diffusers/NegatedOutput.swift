import Diffusion
import Tensors

/// A meaning whose output has the other sign: diffusers' EDM classes with `v_prediction`, where c_out is negative.
struct NegatedOutput<Base: OutputMeaning>: OutputMeaning {
    let base: Base

    init(_ base: Base) { self.base = base }

    var word: String { base.word }

    func target(data: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        -base.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
    }

    func estimate(_ output: Tensor, sample x: Tensor, at level: NoiseLevel) -> Estimate {
        base.estimate(-output, sample: x, at: level)
    }

    func data(_ output: Tensor, sample x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        base.data(-output, sample: x, alpha: alpha, sigma: sigma)
    }

    func isDefined(at level: NoiseLevel) -> Bool { base.isDefined(at: level) }

    func squaredError(ofUnitVelocityErrorAt level: NoiseLevel) -> Double {
        base.squaredError(ofUnitVelocityErrorAt: level)
    }
}

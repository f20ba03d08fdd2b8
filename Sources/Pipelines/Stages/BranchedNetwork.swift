import Diffusion
import Networks
import Tensors

/// A network under the conditions of its branches, which pass through it in one batch.
struct BranchedNetwork {
    let network: any NoiseNetwork
    let settings: StageSettings
    var conditions = BranchConditions(wanted: Conditions())

    /// The denoiser of some pictures under some branches.
    func denoiser(_ pictures: Range<Int>, _ branches: [GuidanceBranch], _ inputs: BatchInputs) -> Denoiser {
        let type = settings.elementType
        let rows = branches.map {
            conditions.conditions($0).rows(of: pictures, among: settings.count).to(type)
        }
        let joined = network.preparing(rows.dropFirst().reduce(rows[0]) { $0.followed(by: $1) })
        return Denoiser(settings.sampler.parameterization(of: settings.process)) { x, time in
            let input = inputs.beside.map {
                concatenated([x, $0.repeated(x.shape[0] / $0.shape[0])], along: 1)
            }
            return network((input ?? x).to(type), time: time, joined, dropout: nil).to(x.elementType)
        }
    }
}

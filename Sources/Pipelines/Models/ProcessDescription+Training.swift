import Diffusers
import Diffusion

extension ProcessDescription {
    /// The process of a training run, in the form in which the folder of its model keeps it: one of diffusers' classes
    /// where it has one for it, so that diffusers opens the folder, and the description itself elsewhere.
    /// - Parameter method: how the run's pictures are sampled.
    public func trained(sampledBy method: Method?) -> Process {
        StoredProcess(trainedOn: self, sampledBy: method).process
    }
}

extension Process {
    /// The process as a model of latents keeps it.
    /// - Parameter method: how the model is sampled.
    public func ofLatents(sampledBy method: Method?) -> Process {
        guard case .scheduler(let configuration)? = stored else { return self }
        return configuration.ofLatents(sampledBy: method).process
    }
}

import Tensors

/// An example with noise on it, each datum at the level of a time of its own: what most objectives begin with.
struct NoisyExample {
    /// x₀ `[batch, …]`
    let data: Tensor
    /// ε, likewise.
    let noise: Tensor
    /// The levels, and the network as the process calls it.
    let batch: ProcessBatch
    /// x = α·x₀ + σ·ε in the network's scaling, `[batch, …]`.
    let sample: Tensor

    /// Draws the noise where the example has none of its own.
    init(_ example: Example, on process: Process, at times: [Double], _ generator: RandomGenerator) {
        data = example.data
        noise = example.noise(orDrawnBy: generator)
        batch = ProcessBatch(process, times: times, like: data)
        sample = batch.sample(data, noise)
    }

    /// The mean squared error of what a network predicts, `[batch]`, times the weights of its levels.
    func weightedError(of output: Tensor, _ weighting: LossWeighting) -> Tensor {
        let errors = (output - batch.target(data, noise)).squared().meanPerExample()
        return errors * batch.weights(weighting)
    }
}

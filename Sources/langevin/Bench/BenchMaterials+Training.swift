import Layers
import Networks
import Tensors

extension BenchMaterials {
    /// One step of AdamW; it leaves the gradient of the first convolution, which all that is done reaches.
    func trainingStep() throws -> BenchWork.Repetition {
        // Weights, inputs and optimizer stay in float32; with bfloat16 the arithmetic is cast.
        var whole = BenchMaterials(.float32, on: device)
        (whole.weights, whole.inputs) = (weights, inputs)
        let (network, store): (UNet2D, _) = try whole.network(.ddpmCifar, for: .training)
        let optimizer = AdamW(store)
        let (pictures, time) = try whole.pictures(32, network.configuration)
        // As a run lays them out (`training.memory_format`).
        let x = pictures.contiguous(.channelsLast)
        let noise = try whole.numbers(
            "noise", [32, network.configuration.outChannels, x.shape[2], x.shape[3]])
        func loss() -> Tensor { (network(x, time: time) - noise).squared().mean() }
        return {
            try optimizer.clearGradients()
            try (elementType == .float32 ? loss() : autocast(to: elementType, on: device, loss)).backward()
            try optimizer.step(learningRate: 1e-4)
            return store["conv_in.weight"]?.gradient
        }
    }
}

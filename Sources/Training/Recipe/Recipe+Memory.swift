import Layers
import Networks
import Pipelines
import Tensors

extension Recipe {
    /// What a step of training of a network that denoises holds at the least, with an autoencoder that runs in every step.
    /// - Parameter data: the shape of an example of the data.
    func memoryNeed(_ plan: DenoiserPlan, data: Shape) throws -> MemoryNeed {
        var need = try memoryNeed(of: model.network.configuration, pictures: plan.sample)
        guard let latents = plan.latents, latents.encoding == nil else { return need }
        let encoding = latents.autoencoder.memoryNeed(batch: training.batchSize, pictures: data)
        need.subject += " and its autoencoder"
        need.bytes += encoding.bytes
        return need
    }

    /// What a step of training of a network that denoises holds at the least.
    func memoryNeed(of network: NetworkConfiguration, pictures: Shape) throws -> MemoryNeed {
        let store = ParameterStore(.shapesOnly)
        _ = try store.build(network.network)
        return memoryNeed(
            of: store, network.className, activations: network.activationCount(pictures), pictures: pictures)
    }

    /// What a step of training holds at the least: parameters with their gradients, the optimizer's two moments and
    /// the average, and for each picture of a batch what the backward pass reads.
    /// - Parameters:
    ///   - shapes: the network's parameters in shapes alone.
    ///   - activations: the number of values, at the least, that live together while one picture passes.
    func memoryNeed(
        of shapes: ParameterStore, _ className: String, activations: Double, pictures: Shape
    ) -> MemoryNeed {
        let count = shapes.parameterCount
        let copies = 4.0 + (training.emaDecay > 0 ? 1 : 0)
        // Measured, the backward pass of a U-Net reads five to six times what a picture that only passes needs.
        let kept = 3 * activations * (training.precision == .bfloat16 ? 2 : 4)
        let own = pictures.extents.reduce(4) { $0 * Double($1) }
        return MemoryNeed(
            "training.batch_size \(training.batchSize) with a \(className) of \(count) parameters",
            bytes: Double(count) * 4 * copies + (kept + own) * Double(training.batchSize),
            remedy:
                "make training.batch_size smaller (training.gradient_accumulation makes up for it), or the network"
        )
    }
}

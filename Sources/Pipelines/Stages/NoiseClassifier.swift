import Diffusers
import Diffusion
import Networks
import Tensors

/// A classifier of noisy samples, for guidance up its gradient.
package struct NoiseClassifier: Sendable {
    /// The class that each picture is guided to.
    let labels: [Int]
    /// A number for each class, `[batch, classes]`, of samples `[batch, …]` at a level; differentiable in the samples.
    /// Their softmax is the probability of the classes.
    package let logits: @Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor
    /// Begins with the digests of its files.
    let digests: @Sendable () throws -> ModelDigests

    /// ln p(y|x) of some of the pictures, `[batch]`.
    func logProbability(of pictures: Range<Int>) -> @Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor {
        let own = labels[pictures].map { Int64($0) }
        return { x, level in
            logits(x, level).logSoftmax(1).taken(Tensor(own).to(x.device).unsqueezed(1), along: 1).squeezed(1)
        }
    }
}

extension NoiseClassifier {
    /// A network's, which takes samples and times as its own process says.
    /// - Parameters:
    ///   - own: the process that it was trained on.
    ///   - sampling: the steps of the model that is guided, and its process.
    ///   - type: what the network computes in.
    ///   - network: samples in its own scaling, and a time `[1]`, to a number for each class.
    init(
        labels: [Int], of own: Process, for sampling: (sampler: Sampler, process: Process),
        in type: ElementType,
        digests: @escaping @Sendable () throws -> ModelDigests,
        network: @escaping @Sendable (_ x: Tensor, _ time: Tensor) -> Tensor
    ) {
        self.init(
            labels: labels, logits: noisyFunction(of: own, for: sampling, in: type, network: network),
            digests: digests)
    }
}

/// A network of noisy samples as a function of another model's samples and their levels.
/// - Parameters:
///   - own: the process that the network was trained on.
///   - sampling: the steps of the other model, and its process.
///   - type: what the network computes in.
///   - network: of samples in its own scaling, and a time `[1]`.
func noisyFunction(
    of own: Process, for sampling: (sampler: Sampler, process: Process), in type: ElementType,
    network: @escaping @Sendable (_ x: Tensor, _ time: Tensor) -> Tensor
) -> @Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor {
    // Tables in double precision are those of the other model where it has such.
    let exact = sampling.sampler.forNetwork(of: own, on: sampling.process)
    let own = exact.hasTimesOfProcess ? own : own.computed(in: type)
    let parameterization = sampling.sampler.forNetwork(of: own, on: sampling.process)
        .parameterization(of: own)
    return { x, level in
        let scale = parameterization.scaling.scale(of: level)
        let factor = parameterization.input(level.divided(by: scale)) / scale
        let time = Tensor.full(parameterization.time(level), [1], .float32, on: x.device)
        let input = factor == 1 ? x : x * factor
        return network(input.to(type), time).to(x.elementType)
    }
}

extension PixelAssembly {
    /// The channels of its output, where it needs no condition itself.
    package var classifiedCount: Int? {
        let traits = configuration.traits
        let isConditional = traits.labels != nil || traits.context != nil || traits.pooled != nil
        return isConditional || traits.outputChannels < 2 ? nil : traits.outputChannels
    }

    /// A network without conditions that gives a number for each class, or a map of them, which is averaged over its
    /// places. Its process says how it takes samples and times.
    package func classifier(of shape: Shape, labels: [Int], sampler: Sampler, process: Process) throws
        -> NoiseClassifier
    {
        let traits = configuration.traits
        guard traits.sample.rank == shape.count, traits.channels == shape[0] else {
            throw PipelineError(
                "\(.classifier): \(name) takes samples of \(traits.channels) channels or numbers, and here they are \(shape): give a classifier of these samples"
            )
        }
        let (network, source, name) = (network, source, name)
        return NoiseClassifier(
            labels: labels, of: self.process, for: (sampler, process), in: elementType,
            digests: {
                try source.map { try ModelDigests($0, [Self.networkComponent]) }
                    ?? ModelDigests(ModelRecord(name: name))
            },
            network: { x, time in
                let output = network(x, time: time, Conditions(), dropout: nil)
                return output.rank > 2 ? output.flattened(from: 2).mean([2]) : output
            })
    }
}

extension ExactAssembly {
    package var classifiedCount: Int? { model.partCount }

    /// The Gaussians of a mixture are its classes, and what they are in noise is known exactly.
    package func classifier(of shape: Shape, labels: [Int], sampler: Sampler, process: Process) throws
        -> NoiseClassifier
    {
        let (mixture, name) = (model.mixture, name)
        guard shape == [mixture.dimension] else {
            throw PipelineError(
                "\(.classifier): \(name) is of points of \(mixture.dimension) numbers, and samples are \(shape): give a mixture of these"
            )
        }
        let record = ModelRecord(name: name, hash: model.digest)
        return NoiseClassifier(
            labels: labels,
            logits: { x, level in
                mixture.partLogits(x.to(.cpu).to(.float64), at: level).to(x.elementType).to(x.device)
            }, digests: { ModelDigests(record) })
    }
}

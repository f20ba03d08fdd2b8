import Checkpoints
import Diffusers
import Diffusion
import Layers
import Networks
import Storage
import Tensors

/// A classifier of noisy samples, as training writes one. It draws none itself: it guides models of such samples.
///
/// On disk it is a folder like those of the diffusers layout: `model_index.json`, `classifier/`, `scheduler/` with the process
/// of its noise, and the card `langevin.json`.
/// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), section 4.
package struct NoisyClassification: StoredAssembly {
    package static let classNames = ["NoisyClassifierPipeline"]
    package static let family = "classifier"
    package static let networkComponent = ModelComponent.classifier

    /// Where it was opened, for messages.
    package let name: String
    /// The network.
    package let network: UNetClassifier
    /// The process whose noise it was trained on.
    package let process: Process
    /// The names of the classes.
    package let card: ModelCard
    private let source: ModelSource
    private let elementType: ElementType

    package init(_ source: ModelSource, _ options: ModelOptions) throws {
        (name, self.source, elementType) = (source.name, source, options.elementType)
        guard try source.has(.scheduler) else {
            throw PipelineError(
                "\(source.path): model_index.json has no scheduler, so this classifier knows no noise, and guidance asks about noisy samples: give one that was trained on them (model.kind classifier)"
            )
        }
        process = try source.process()
        card = try source.card()
        network = try source.build(
            UNetClassifier.self, .classifier, elementType: options.elementType, on: options.device)
    }

    /// The shape of the pictures that it takes, `[channels, height, width]`.
    package var sampleShape: Shape {
        let encoder = network.configuration.encoder
        return [encoder.inChannels, encoder.sampleSize?.height ?? 0, encoder.sampleSize?.width ?? 0]
    }

    package var takesPrompt: Bool { false }
    package var classCount: Int? { nil }

    package func stages(_ request: Request) throws -> [any Stage] {
        throw PipelineError(
            "\(name) is a classifier of noisy pictures and draws none: give it as \(.classifier) beside a model of such pictures"
        )
    }

    package var classifiedCount: Int? { network.configuration.numClasses }

    package func classifier(of shape: Shape, labels: [Int], sampler: Sampler, process: Process) throws
        -> NoiseClassifier
    {
        guard shape == sampleShape else {
            throw PipelineError(
                "\(.classifier): \(name) takes pictures of \(sampleShape), and here samples are \(shape): give a classifier of these samples"
            )
        }
        let (network, source) = (network, source)
        return NoiseClassifier(
            labels: labels, of: self.process, for: (sampler, process), in: elementType,
            digests: { try ModelDigests(source, [.classifier]) }, network: { network($0, time: $1) })
    }
}

extension ModelLayout {
    /// Writes a classifier of noisy samples.
    /// - Parameters:
    ///   - process: whose noise it was trained on.
    ///   - parameters: by name, in the order in which the file is to list them.
    /// - Throws: `PipelineError` for a process without a file form; errors that name a file.
    public func write(
        classifier configuration: UNetClassifierConfiguration, process: Diffusion.Process, card: ModelCard,
        parameters: [(String, Tensor)]
    ) throws {
        let (stored, component) = (try stored(process), ModelComponent.classifier.rawValue)
        try Files.createFolder(path)
        try UNetClassifier.write(configuration, parameters, to: ModelFolder("\(path)/\(component)"))
        try writeDescription(
            stored, card, pipeline: NoisyClassification.classNames[0],
            network: (component, "langevin", UNetClassifier.className))
    }
}

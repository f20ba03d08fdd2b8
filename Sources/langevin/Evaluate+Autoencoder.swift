import Checkpoints
import Datasets
import Evaluation
import Networks
import Pipelines
import Tensors
import Training

extension EvaluatedKind {
    /// An autoencoder, by how near its reconstructions of pictures are that it did not learn from.
    static let autoencoder = EvaluatedKind(classNames: Set(KnownNetworks.autoencoders.map { $0.className })) {
        command, folder in
        try command.refuseSampling("\(command.model) is an autoencoder and draws no samples", reads: [])
        let configuration = try AutoencoderConfiguration(folder.configuration())
        let traits = configuration.traits
        guard let size = traits.pictureSize, traits.channels == traits.outputChannels else {
            throw PipelineError(
                "\(folder.path): config.json leaves open which pictures its autoencoder takes: one that evaluate measures has a 'sample_size', and as many channels in as out"
            )
        }
        let device = try command.compute.open()
        let network = try loadedAutoencoder(
            configuration, of: folder, elementType: command.compute.dtype, on: device)
        let shape: Shape = [traits.channels, size.height, size.width]
        let heldOut = try command.heldOut(shape: shape) { try $0.open($1) }
        let training = try Recipe.DataSection(named: command.against, shape: shape).open(.train)
        let report = try ReconstructionEvaluator(training: training).report(
            of: heldOut, count: command.count, latents: traits.latentShape(of: shape).elementCount
        ) { pictures in
            // The use of codes is counted by what a gradient computes, which `inference` does not allow.
            withoutGradients {
                let own = pictures.to(command.compute.dtype).to(device)
                // The most likely latents: what a picture is made of where nothing is drawn.
                func nothing(_ shape: Shape) -> Tensor { .zeros(shape, command.compute.dtype, on: device) }
                if let trainable = network as? any TrainableAutoencoder {
                    let again = trainable.reconstruction(of: own, noise: nothing)
                    return (again.pictures, again.use)
                }
                return (network.decode(network.latents(of: own, noise: nothing)), nil)
            }
        }
        try command.printReport(report, report.text)
    }
}

/// The autoencoder of a configuration with the weights of a folder.
private func loadedAutoencoder(
    _ configuration: AutoencoderConfiguration, of folder: ModelFolder, elementType: ElementType,
    on device: Device
) throws -> any PictureAutoencoder {
    func loaded<Network: LatentAutoencoder>(_ type: Network.Type) throws -> any PictureAutoencoder {
        try type.load(folder, elementType: elementType, on: device).network
    }
    return try loaded(configuration.type)
}

import Checkpoints
import Networks
import Tensors

extension GenerationPlan {
    /// Looks at everything that the run will need, before any of it is done: the configuration and the weights' names and
    /// shapes of every part, tokenizers, and memory. No weights are read.
    ///
    /// - Parameter decodes: whether pictures will be made of the latents.
    /// - Throws: an error that names the file; `PipelineError` where parts do not fit each other or the machine.
    public func checkParts(decodes: Bool) throws {
        try checkMemory()
        // The run asks for it only to say that it is not used.
        _ = try model.source.className(of: "safety_checker")
        if decodes { try checkDecoding() }
        if model.source.kind.takesPrompt, let widths = try textEncoding({ _ in }).check() {
            try checkFit(context: widths.context, pooled: widths.pooled)
        }
        if model.classes != nil { try model.source.check(ClassEmbedder.self, .classEmbedder) }
        try check(model.network.type, model.source.kind.networkComponent)
        var needsAutoencoder = decodes
        if case .picture = request.reference { needsAutoencoder = true }
        if needsAutoencoder { try check(model.autoencoder.type, model.source.kind.autoencoderComponent) }
    }

    private func check(_ type: any ConfiguredNetwork.Type, _ component: ModelComponent) throws {
        func opened<Network: ConfiguredNetwork>(_ type: Network.Type) throws {
            try model.source.check(type, component)
        }
        try opened(type)
    }

    // MARK: Memory

    /// Throws where the machine cannot hold what passes through the network.
    func checkMemory() throws {
        let together = min(request.sampling.batchSize ?? 4, count)
        let batch = sampler.solver.couplesExamples ? 1 : together
        let needs = SamplingPlan.memoryNeed(
            of: model.network, batch: isGuided ? 2 * batch : batch, count: count, sample: latentShape,
            computing: model.elementType)
        for need in needs { try need.check(on: model.device) }
    }

    /// Throws where the machine cannot hold the pictures, or what is behind the decoder's last block.
    private func checkDecoding() throws {
        let all = Double(count) * 3 * Double(size.height) * Double(size.width) * 4
        let pictures = "\(size.width)×\(size.height) pixels"
        // With several, each and all of them together.
        try MemoryNeed(
            "decoding \(count) pictures of \(pictures)", bytes: count > 1 ? 2 * all : all,
            remedy: "ask for fewer or smaller ones, in several calls with seeds of their own"
        ).check(on: model.device)
        guard !model.memory.tilesAutoencoder else { return }
        let values = model.autoencoder.traits.activationCount(height: size.height, width: size.width)
        try MemoryNeed(
            "decoding \(pictures)", bytes: model.autoencoderType.byteCount(values),
            remedy: "ask for smaller pictures, or let them pass through the autoencoder in tiles"
        ).check(on: model.device)
    }
}

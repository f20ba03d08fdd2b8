import Checkpoints
import Networks
import Tensors

extension LatentStage {
    package func check(decodes: Bool) throws {
        try checkMemory()
        // The run reads it only to say that it is not used.
        _ = try model.source.className(of: "safety_checker")
        if decodes { try checkDecoding() }
        try settings.guides.guide?.check(decodes: false)
        try assembly.checkConditions(of: self)
        try checkControls()
        try checkImagePrompts()
        let family = type(of: assembly)
        try check(model.network.type, family.networkComponent)
        if usesAutoencoder(decodes: decodes) {
            try check(model.autoencoder.type, family.autoencoderComponent)
        }
    }

    package func digests(decodes: Bool) throws -> ModelDigests {
        let family = type(of: assembly)
        return try ModelDigests(
            model.source,
            [family.networkComponent] + assembly.conditionParts(of: self) + imagePromptParts
                + (usesAutoencoder(decodes: decodes) ? [family.autoencoderComponent] : []),
            beside: request.controls.map { try $0.network.files() })
    }

    /// Whether the autoencoder has a part in the run.
    func usesAutoencoder(decodes: Bool) -> Bool {
        if task != .enlarging, case .picture? = request.reference { return true }
        if request.controls.contains(where: { $0.network.latents != nil }) { return true }
        return decodes
    }

    private func check(_ type: any ConfiguredNetwork.Type, _ component: ModelComponent) throws {
        func opened<Network: ConfiguredNetwork>(_ type: Network.Type) throws {
            try model.source.check(type, component)
        }
        try opened(type)
    }

    // MARK: Memory

    /// Throws where the machine cannot hold what passes through the network.
    private func checkMemory() throws {
        let together = min(settings.batchSize, settings.count)
        let batch = settings.sampler.solver.couplesExamples ? 1 : together
        let needs = MemoryNeed.sampling(
            model.network, batch: settings.branches.count * batch, count: settings.count,
            sample: settings.sampleShape, computing: model.elementType)
        for need in needs { try need.check(on: model.device) }
    }

    /// Throws where the machine cannot hold the pictures, or what is behind the decoder's last block.
    private func checkDecoding() throws {
        let count = settings.count
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

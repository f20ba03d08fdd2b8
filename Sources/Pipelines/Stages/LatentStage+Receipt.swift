import Layers
import Networks
import Tensors

extension LatentStage {
    package func complete(_ receipt: inout Receipt, decodes: Bool) throws {
        let (source, request) = (model.source, self.request)
        receipt.config = source.file == nil ? nil : source.configurations?.name
        (receipt.image, receipt.mask) = (request.files["image"], request.files["mask"])
        receipt.background = request.background?.description
        if request.prompts != nil { receipt.setPrompts(of: request) }
        receipt.loras = source.adapters.isEmpty ? nil : source.adapters
        receipt.loraLive = source.hasLiveAdapters ? true : nil
        receipt.embeddings = source.embeddings.isEmpty ? nil : source.embeddings
        receipt.setWeights(of: request)
        receipt.clipSkip = request.clipSkip == 0 ? nil : request.clipSkip
        if isGuided {
            receipt.negativePrompt = request.negativePrompt
        }
        receipt.setControls(of: request)
        receipt.setImagePrompts(of: request)
        receipt.strength = strength
        (receipt.noiseLevel, receipt.depth) = (assembly.usedNoiseLevel(request), request.files["depth"])
        (receipt.denoisingStart, receipt.denoisingEnd) = (request.denoisingStart, request.denoisingEnd)
        receipt.wholeSteps = request.takesWholeSteps ? true : nil
        let readsScore = try readsAestheticScore
        if type(of: assembly).takesSizes {
            receipt.originalSize = request.originalSize
            receipt.targetSize = readsScore ? nil : request.targetSize
            receipt.crop =
                request.crop == (0, 0) ? nil : .init(left: request.crop.left, top: request.crop.top)
        }
        receipt.aestheticScore = readsScore ? request.aestheticScores.wanted : nil
        completeMemory(&receipt, decodes: decodes)
    }

    /// Whether the U-Net is conditioned on an aesthetic score.
    package var readsAestheticScore: Bool {
        get throws { try (assembly as? StableDiffusionXL)?.readsAestheticScore(task) ?? false }
    }

    private func completeMemory(_ receipt: inout Receipt, decodes: Bool) {
        receipt.setMemory(model.memory)
        guard usesAutoencoder(decodes: decodes) else { return }
        receipt.vaeDtype = model.autoencoderType.name
        receipt.vaeTiling = model.memory.tilesAutoencoder ? true : nil
    }
}

extension Receipt {
    /// How text encoders and the denoising network were kept in memory, where that changes pictures.
    mutating func setMemory(_ memory: MemoryOptions) {
        textEncoderMatrices = memory.textEncoders == .full ? nil : memory.textEncoders
        let isAsInFull = memory.network == .bfloat16x3 && !Kernels.multipliesSplit
        networkMatrices = memory.network == .full || isAsInFull ? nil : memory.network
        attentionSlicing = memory.attentionSlicing.word
    }
}

extension AttentionSlicing {
    /// The word or number of the option; `nil` where all heads are computed at once.
    fileprivate var word: String? {
        switch self {
        case .whole: nil
        case .halves: "auto"
        case .heads(let count): String(count)
        }
    }
}

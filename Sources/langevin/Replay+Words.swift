import Foundation
import Hub
import Pipelines
import Storage

// The command line that a receipt describes.

extension Replay {
    /// The words of the command: the options of the receipt and where things are, and the words that stand alone.
    /// - Parameter aside: a folder for files that the command reads.
    func words(aside: String) throws -> (options: [String], alone: [String]) {
        let model = try place("--model", receipt.model, given.model, isModel: true)
        guard receipt.inversion != true else {
            throw PipelineError(
                "\(path) is the noise that leads to a picture, and no picture: there is nothing to compare")
        }
        var words = receipt.prompt == nil ? [] : ["--model", model]
        words += try seeds()
        if let prompts = receipt.prompts { words += try ["--prompts", file(of: prompts, aside: aside)] }
        for row in Self.rows { words += row(receipt) }
        for (option, value) in try files() { words += [option, value] }
        words += try adapters() + embeddings() + difference() + controls() + imagePrompts()
        words += try stages()
        let places = [
            ("--config", given.parts.config), ("--variant", given.parts.variant), ("--vae", given.parts.vae),
            ("--ip-encoder", given.imagePrompts.ipEncoder),
        ]
        for case (let option, let value?) in places { words += [option, value] }
        words += [
            "--device", given.compute.device, "--threads", "\(given.compute.threads ?? receipt.threads)",
        ]
        guard let prompt = receipt.prompt else { return (words, [model]) }
        return (words, receipt.prompts == nil ? [prompt] : [])
    }

    /// Options whose value is a field's; a flag stands where its field is true.
    private static let rows: [@Sendable (Receipt) -> [String]] = [
        { value("--count", $0.prompts == nil ? $0.count : nil) }, { value("--dtype", $0.dtype) },
        { value("--rng", $0.rng) },
        { value("--batch-size", $0.batchSize) }, { value("--reuse-deep", $0.deepFeatureInterval) },
        { value("--negative-prompt", $0.negativePrompt) }, { flag("--prompt-weights", $0.promptWeights) },
        { flag("--lora-live", $0.loraLive) },
        { value("--weight-normalization", $0.weightNormalization?.rawValue) },
        { value("--clip-skip", $0.clipSkip) }, { value("--guidance-method", $0.guidanceMethod) },
        { value("--guidance-interval", $0.guidanceInterval) },
        { value("--guidance-rescale", $0.guidanceRescale) },
        { value("--guidance-schedule", $0.guidanceSchedule) },
        { value("--temperature", $0.temperature) }, { value("--negative-weight", $0.negativeWeight) },
        { value("--churn", $0.churn) },
        { value("--churn-range", $0.churnRange) }, { value("--churn-noise", $0.churnNoise) },
        { value("--langevin-steps", $0.langevinSteps) }, { value("--signal-to-noise", $0.signalToNoise) },
        { value("--prior-steps", $0.priorSteps) }, { value("--prior-guidance", $0.priorGuidance) },
        { value("--upscale-steps", $0.upscaleSteps) }, { value("--prior-candidates", $0.priorCandidates) },
        { value("--embedding", $0.embedding?.rawValue) }, { value("--threshold", $0.threshold) },
        { value("--strength", $0.image == nil ? nil : $0.strength) },
        { value("--background", $0.background) }, { value("--noise-level", $0.noiseLevel) },
        { value("--denoising-start", $0.denoisingStart) }, { value("--denoising-end", $0.denoisingEnd) },
        { flag("--whole-steps", $0.wholeSteps) },
        { value("--original-size", $0.originalSize.map { "\($0.width)x\($0.height)" }) },
        { value("--target-size", $0.targetSize.map { "\($0.width)x\($0.height)" }) },
        { value("--crop", $0.crop.map { "\($0.left),\($0.top)" }) },
        { value("--aesthetic-score", $0.aestheticScore) }, { flag("--guess-mode", $0.guessMode) },
        { flag("--text-encoder-int8", $0.textEncoderMatrices == .int8) },
        { flag("--network-int8", $0.networkMatrices == .int8) },
        { flag("--network-bf16x3", $0.networkMatrices == .bfloat16x3) },
        { value("--attention-slicing", $0.attentionSlicing) }, { flag("--vae-tiling", $0.vaeTiling) },
    ]

    private static func value(_ option: String, _ value: (some CustomStringConvertible)?) -> [String] {
        value.map { ["\(option)=\($0)"] } ?? []
    }

    private static func flag(_ option: String, _ isSet: Bool?) -> [String] { isSet == true ? [option] : [] }

    /// A file of the prompts of all pictures, a line each.
    private func file(of prompts: [String], aside: String) throws -> String {
        let path = "\(aside)/prompts.txt"
        try Files.replace(path, with: Data(prompts.joined(separator: "\n").utf8))
        return path
    }

    /// The class of all pictures, or all classes in turn.
    func classes() throws -> [String] {
        guard let classes = receipt.classes, let first = classes.first else { return [] }
        if classes.allSatisfy({ $0 == first }) { return ["--class", "\(first)"] }
        guard classes == classes.sorted() || Set(classes).count == classes.count else {
            throw PipelineError("\(path) shows classes that no one option draws: it cannot be made again")
        }
        return ["--class", "all"]
    }

    private func seeds() throws -> [String] {
        guard let ends = receipt.interpolation else { return ["--seed", "\(receipt.seed)"] }
        guard ends.weights.count == receipt.count, receipt.count > 1 else {
            throw PipelineError(
                "\(path) is one picture of a row between two seeds: make the row again (--interpolate)")
        }
        return ["--interpolate", "\(ends.first):\(ends.last)"]
    }

    /// Files and models beside the first one, each where it is.
    private func files() throws -> [(String, String)] {
        let rows: [(option: String, name: String?, place: String?, isModel: Bool)] = [
            ("--image", receipt.image?.name, given.reference.image, false),
            ("--mask", receipt.mask?.name, given.reference.mask, false),
            ("--depth", receipt.depth?.name, given.reference.depth, false),
            ("--original", receipt.original?.name, given.reference.original, false),
            ("--image-to", receipt.imageTo?.name, given.embeddings.imageTo, false),
            ("--prior", receipt.prior, given.prior.prior, true),
            ("--initial", receipt.initial?.name, given.pictures.initial, false),
            ("--refiner", receipt.refiner?.model, given.reference.refiner, true),
            ("--guide", receipt.guide?.model, given.guiding.guide, true),
            ("--classifier", receipt.classifier?.model, given.guiding.classifier, true),
            ("--noisy-clip", receipt.noisyCLIP?.model, given.guiding.noisyClip, true),
        ]
        if let row = rows.first(where: { $0.name == nil && $0.place != nil }) {
            throw PipelineError("\(row.option) had no part in \(path): leave it out")
        }
        return try rows.compactMap { row in
            try row.name.map { (row.option, try place(row.option, $0, row.place, isModel: row.isModel)) }
        }
    }

    /// The two texts between which the embedding of a picture moves.
    private func difference() -> [String] {
        guard let texts = receipt.textDiff else { return [] }
        return ["--text-diff", texts.from, texts.to] + Self.value("--text-diff-share", texts.share)
    }

    /// The adapters with their weights, in their order.
    private func adapters() throws -> [String] {
        let (recorded, own) = (receipt.loras ?? [], given.parts.lora)
        guard own.isEmpty || own.count == recorded.count else {
            throw PipelineError(
                "\(path) was made with \(recorded.count) adapters, and --lora is given \(own.count) times: give it once for each"
            )
        }
        return try recorded.enumerated().flatMap { index, adapter in
            let place = try place(
                "--lora", adapter.name, own.isEmpty ? inFolder(adapter.name) : own[index].adapter.path,
                isModel: false)
            if let given = own.isEmpty ? nil : own[index].adapter.weight, given != 1, given != adapter.weight
            {
                throw PipelineError(
                    "--lora: the weight of \(adapter.name) was \(adapter.weight): leave out \(given)")
            }
            return ["--lora", "\(place):\(adapter.weight)\(adapter.blocks.map { ":\($0)" } ?? "")"]
        }
    }

    /// Where an adapter lies in the folder of adapters.
    private func inFolder(_ name: String) -> String? {
        given.loraFolder.map { "\($0)/\(name)" }.flatMap { Files.exists($0) ? $0 : nil }
    }

    /// The files of learned vectors with their words, in their order.
    private func embeddings() throws -> [String] {
        let (recorded, own) = (receipt.embeddings ?? [], given.prior.words)
        guard given.prior.embedding == nil else {
            throw PipelineError("--embedding: --replay takes all but files from the picture: leave it out")
        }
        guard own.isEmpty || own.count == recorded.count else {
            throw PipelineError(
                "\(path) was made with \(recorded.count) files of learned vectors, and --embedding is given \(own.count) times: give it once for each"
            )
        }
        return try recorded.enumerated().flatMap { index, embedding in
            let given = own.isEmpty ? nil : own[index]
            let place = try place("--embedding", embedding.name, given?.path, isModel: false)
            if let word = given?.word, word != embedding.word {
                throw PipelineError(
                    "--embedding: the word of \(embedding.name) was \(embedding.word): leave out \(word)")
            }
            return ["--embedding", "\(place):\(embedding.word)"]
        }
    }

    /// The networks that controlled the pictures, each with what belongs to it.
    private func controls() throws -> [String] {
        let (recorded, groups) = (receipt.controls ?? [], given.control.groups)
        guard groups.isEmpty || groups.map(\.leader) == recorded.map(leader) else {
            throw PipelineError(
                "\(path) was controlled by \(recorded.count) networks (\(recorded.map(\.model).joined(separator: ", "))): give --controlnet or --adapter once for each"
            )
        }
        return try recorded.enumerated().flatMap { index, control in
            let own = groups.isEmpty ? nil : groups[index]
            let leader = leader(of: control)
            var words = [leader, try place(leader, control.model, own?.path, isModel: true)]
            if let picture = control.picture {
                words += [
                    "--control",
                    try place("--control", picture.name, own?.values["--control"], isModel: false),
                ]
            }
            return words + Self.value("--control-scale", control.scale)
                + Self.value("--control-start", control.start) + Self.value("--control-end", control.end)
        }
    }

    private func leader(of control: Receipt.Control) -> String {
        control.adapter == true ? AdapterControlOption.leader : ControlNetOption.leader
    }

    /// The adapters by which pictures were prompts, each with its pictures and their weight.
    private func imagePrompts() throws -> [String] {
        let (recorded, groups) = (receipt.imagePrompts ?? [], try given.imagePrompts.groups())
        guard groups.isEmpty || groups.map(\.pictures.count) == recorded.map(\.images.count) else {
            throw PipelineError(
                "\(path) was made with \(recorded.count) IP-Adapters (\(recorded.map(\.name).joined(separator: ", "))): give --ip-adapter once for each, and --ip-image for each of its pictures"
            )
        }
        return try recorded.enumerated().flatMap { index, prompt in
            let own = groups.isEmpty ? nil : groups[index]
            if let weight = try own?.weight(), weight != prompt.weight {
                throw PipelineError(
                    "--ip-image: the weight of \(prompt.name) was \(prompt.weight): leave out \(weight)")
            }
            let adapter = try place("--ip-adapter", prompt.name, own?.path, isModel: false)
            return try ["--ip-adapter", adapter]
                + prompt.images.enumerated().flatMap { index, image in
                    let place = try place("--ip-image", image.name, own?.pictures[index].path, isModel: false)
                    return ["--ip-image", "\(place):\(prompt.weight)"]
                }
        }
    }

    /// The further stages of a cascade with what belongs to each.
    private func stages() throws -> [String] {
        let stages = receipt.then ?? []
        guard given.cascade.then.isEmpty || given.cascade.then.count == stages.count else {
            throw PipelineError(
                "\(path) has \(stages.count) further stages, and --then is given \(given.cascade.then.count) times: give it once for each"
            )
        }
        var words: [String] = []
        for (index, stage) in stages.enumerated() {
            let own = given.cascade.then.isEmpty ? nil : given.cascade.then[index]
            words += ["--then", try place("--then", stage.model, own, isModel: true)]
            words += Self.value("--steps", stage.steps)
            words += Self.value("--guidance", stage.guidance == 1 ? nil : stage.guidance)
            words += Self.value("--noise-level", stage.noiseLevel)
            words += Self.value("--temperature", stage.temperature)
            words += Self.value("--original-strength", stage.strength)
            words += Self.flag("--truncated", stage.truncated)
        }
        return words
    }

    /// Where a model or a file is: where the caller says, else under its name in the working folder.
    private func place(_ option: String, _ name: String, _ own: String?, isModel: Bool) throws -> String {
        if let own { return own }
        let endings = isModel ? ["", ".safetensors", ".gguf"] : [""]
        if let found = endings.map({ name + $0 }).first(where: Files.exists) { return found }
        // A model of the hub, which its cache may hold.
        if isModel, HubReference.isOne(name) { return name }
        if isModel, let shipped = try? ShippedModel.path(), Files.name(of: shipped) == name + ".safetensors" {
            return shipped
        }
        throw PipelineError(
            "\(path) was made with '\(name)', and there is nothing of that name in the working folder: say where it is by \(option)"
        )
    }
}

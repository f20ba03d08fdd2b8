import Checkpoints
import Pipelines
import Tensors

/// Options that would change nothing are refused: a receipt names nothing that had no part in a picture.
extension Generate {
    /// Throws where an option has no part in any picture of a model.
    func checkUnused(_ source: ModelSource) throws {
        // What models on pixels do not read is refused by the library.
        guard let family = source.assembly as? any LatentAssembly.Type else { return }
        let isFile = source.file != nil
        let hasCLIP = try source.has(.textEncoder) || source.has(.textEncoder2)
        let sizes = [
            ("--original-size", self.sizes.originalSize != nil),
            ("--target-size", self.sizes.targetSize != nil),
            ("--crop", self.sizes.crop != nil),
        ]
        let size = sizes.first(where: \.1)?.0 ?? ""
        try Self.refuse([
            (
                isFile && parts.variant != nil && reference.refiner == nil,
                "--variant names weights in a folder, and \(source.path) is one file"
            ),
            (
                clipSkip > 0 && !hasCLIP,
                "--clip-skip leaves out layers of CLIP, and \(source.name) has no CLIP"
            ),
            (
                !size.isEmpty && !family.takesSizes,
                "\(size) is a condition of SDXL, and \(source.name) is none"
            ),
            (
                memory.networkBf16x3 && compute.dtype != .float32,
                "--network-bf16x3 is for float32, and --dtype is \(compute.dtype.name)"
            ),
            (
                memory.attentionSlicing != nil && family.networkComponent != .unet,
                "--attention-slicing is for U-Nets, and \(source.name) has none"
            ),
            (
                previewModel != nil && preview == nil,
                "--preview-model makes previews, and no --preview says where"
            ),
        ])
    }

    /// Throws where an option has no part in the pictures of a run.
    /// - Returns: notes on what has no part in them here and may have one elsewhere.
    func checkUnused(_ run: Run) throws -> [String] {
        let settings = run.mainSettings
        let readsScore = try (run.work.last as? LatentStage)?.readsAestheticScore ?? false
        let score = (
            sizes.aestheticScore != nil && !readsScore,
            "--aesthetic-score is a condition of SDXL's refiner, which has no part in this"
        )
        try Self.refuse(guiding.unused(in: settings) + [score])
        let notes = [
            (
                reference.background != nil && settings.request.background == nil,
                "--background changes nothing: no given picture has transparent parts"
            ),
            (
                negativePrompt != nil && !run.settings.contains(where: \.isGuided),
                "--negative-prompt has no part in the pictures, because there is no guidance (--guidance is \(settings.guidance.scale))"
            ),
            (
                memory.networkBf16x3 && !Kernels.multipliesSplit,
                "--network-bf16x3 changes nothing on this processor, which has no AMX"
            ),
        ]
        return notes.filter(\.0).map(\.1)
    }

    static func refuse(_ problems: [(isSo: Bool, sentence: String)]) throws {
        if let problem = problems.first(where: \.isSo) {
            throw PipelineError("\(problem.sentence): leave it out")
        }
    }
}

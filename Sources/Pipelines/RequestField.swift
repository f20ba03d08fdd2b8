/// A field of a request or of a model's options. Messages name fields; a program spells them as its own options.
public struct RequestField: Sendable, Hashable {
    /// The name of the property.
    public let name: String

    init(_ name: String) { self.name = name }

    package static let prompts = Self("prompts")
    package static let negativePrompt = Self("negativePrompt")
    package static let classes = Self("classes")
    package static let count = Self("count")
    package static let height = Self("height")
    package static let width = Self("width")
    package static let seed = Self("seed")
    package static let steps = Self("steps")
    package static let solver = Self("solver")
    package static let grid = Self("grid")
    package static let eta = Self("eta")
    package static let churn = Self("churn")
    package static let churnRange = Self("churnRange")
    package static let churnNoise = Self("churnNoise")
    package static let langevinSteps = Self("langevinSteps")
    package static let signalToNoise = Self("signalToNoise")
    package static let guidance = Self("guidance")
    package static let guidanceMethod = Self("guidanceMethod")
    package static let guidanceInterval = Self("guidanceInterval")
    package static let guidanceSchedule = Self("guidanceSchedule")
    package static let guide = Self("guide")
    package static let classifier = Self("classifier")
    package static let noisyCLIP = Self("noisyClip")
    package static let inverts = Self("inverts")
    package static let interpolation = Self("interpolation")
    package static let guidanceRescale = Self("guidanceRescale")
    package static let negativeWeight = Self("negativeWeight")
    package static let priorSteps = Self("priorSteps")
    package static let priorGuidance = Self("priorGuidance")
    package static let upscaleSteps = Self("upscaleSteps")
    package static let embedding = Self("embedding")
    package static let prior = Self("prior")
    package static let priorCandidates = Self("priorCandidates")
    package static let imageTo = Self("imageTo")
    package static let textDiff = Self("textDiff")
    package static let textDiffShare = Self("textDiffShare")
    package static let threshold = Self("threshold")
    package static let clipSkip = Self("clipSkip")
    package static let weighsWords = Self("weighsWords")
    package static let weightNormalization = Self("weightNormalization")
    package static let deepFeatureInterval = Self("deepFeatureInterval")
    package static let batchSize = Self("batchSize")
    package static let rng = Self("rng")
    package static let initial = Self("initial")
    package static let reference = Self("reference")
    package static let original = Self("original")
    package static let originalStrength = Self("originalStrength")
    package static let mask = Self("mask")
    package static let background = Self("background")
    package static let strength = Self("strength")
    package static let temperature = Self("temperature")
    package static let noiseLevel = Self("noiseLevel")
    package static let depth = Self("depth")
    package static let controls = Self("controls")
    package static let control = Self("control")
    package static let controlScale = Self("controlScale")
    package static let controlStart = Self("controlStart")
    package static let controlEnd = Self("controlEnd")
    package static let guessMode = Self("guessMode")
    package static let imagePrompts = Self("imagePrompts")
    package static let imagePromptPicture = Self("imagePromptPicture")
    package static let following = Self("following")
    package static let truncates = Self("truncates")
    package static let denoisingStart = Self("denoisingStart")
    package static let denoisingEnd = Self("denoisingEnd")
    package static let takesWholeSteps = Self("takesWholeSteps")
    package static let refiner = Self("refiner")
    package static let originalSize = Self("originalSize")
    package static let targetSize = Self("targetSize")
    package static let crop = Self("crop")
    package static let aestheticScores = Self("aestheticScores")
    package static let previewModel = Self("previewModel")

    /// Fields that are read by few families of models; the others refuse them.
    static let ofFewFamilies: Set<RequestField> = [
        priorSteps, priorGuidance, upscaleSteps, noiseLevel, depth, original, temperature, embedding, prior,
        priorCandidates, imageTo, textDiff, threshold, controls, guessMode, imagePrompts,
    ]

    // MARK: Options of a model

    package static let elementType = Self("elementType")
    package static let variant = Self("variant")
    package static let autoencoder = Self("autoencoder")
    package static let imageEncoder = Self("imageEncoder")
    package static let adapters = Self("adapters")
    package static let embeddings = Self("embeddings")
    package static let hasLiveAdapters = Self("hasLiveAdapters")
    package static let adapterFolder = Self("adapterFolder")
    package static let configurations = Self("configurations")
    package static let prediction = Self("prediction")
    package static let isStrict = Self("isStrict")
    package static let usesAverage = Self("usesAverage")
    package static let entry = Self("entry")
    package static let memory = Self("memory")
}

extension Request {
    /// The fields that say something else than the model's own, but for those that every model reads.
    var given: Set<RequestField> {
        let fields: [(RequestField, Bool)] = [
            (.prompts, prompts != nil), (.negativePrompt, negativePrompt != nil), (.classes, classes != nil),
            (.height, height != nil), (.width, width != nil), (.guidance, guidance != nil),
            (.guidanceMethod, guidanceMethod != nil), (.guidanceInterval, guidanceInterval != nil),
            (.guidanceSchedule, guidanceSchedule != nil), (.guide, guide != nil),
            (.classifier, classifier != nil), (.noisyCLIP, noisyCLIP != nil), (.inverts, inverts),
            (.guidanceRescale, guidanceRescale != 0), (.negativeWeight, negativeWeight != nil),
            (.clipSkip, clipSkip != 0), (.priorSteps, priorSteps != nil),
            (.priorGuidance, priorGuidance != nil), (.upscaleSteps, upscaleSteps != nil),
            (.weighsWords, weighsWords), (.weightNormalization, weightNormalization != .a1111),
            (.deepFeatureInterval, deepFeatureInterval != 1),
            (.reference, reference != nil), (.original, original != nil), (.mask, mask != nil),
            (.background, background != nil),
            (.strength, strength != nil), (.noiseLevel, noiseLevel != nil), (.depth, depth != nil),
            (.temperature, temperature != nil),
            (.controls, !controls.isEmpty), (.guessMode, guessMode),
            (.imagePrompts, !imagePrompts.isEmpty),
            (.following, !following.isEmpty), (.denoisingStart, denoisingStart != nil),
            (.denoisingEnd, denoisingEnd != nil), (.takesWholeSteps, takesWholeSteps),
            (.refiner, refiner != nil), (.originalSize, originalSize != nil),
            (.targetSize, targetSize != nil), (.crop, crop != (0, 0)),
            (.aestheticScores, aestheticScores != Request().aestheticScores),
            (.previewModel, previewModel != nil), (.threshold, thresholding != nil),
        ]
        return Set((fields + givenEmbeddings).filter(\.1).map(\.0))
    }

    /// Throws where a field is given that a kind of model does not read.
    /// - Parameters:
    ///   - fields: those that it reads, beside those that every model does.
    ///   - reason: why it does not read others, to follow the name of the field.
    func check(reads fields: Set<RequestField>, _ reason: String) throws {
        guard let field = given.subtracting(fields).min(by: { $0.name < $1.name }) else { return }
        throw PipelineError("\(field) \(reason): leave it out")
    }
}

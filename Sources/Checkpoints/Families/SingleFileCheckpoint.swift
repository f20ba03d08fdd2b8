import Layers
import Storage
import Tensors

/// A whole model in one file of its original layout, taken apart into the networks of diffusers.
///
///     let file = try SingleFileCheckpoint(SafetensorsFile(path: "v1-5-pruned.safetensors"))
///     let unet = try ParameterStore(.loaded(file.weights(of: .unet))).build { try UNet(…, $0) }
///
/// Every tensor of the file belongs to a component, is a mark, or is set aside for a reason that is kept; what is left
/// is a stray outside the names of all parts, or a stranger inside them, which means another network.
public struct SingleFileCheckpoint: Sendable {
    /// What the file is.
    public let family: CheckpointFamily
    /// The components whose tensors the file holds.
    public let components: [ModelComponent]
    /// Tensors that no component needs, and why.
    public let setAside: [(name: String, reason: String)]
    /// Tensors that stand outside every part's own names, such as what training leaves behind.
    public let strays: [String]
    /// Tensors among the names of parts that nothing here has, so that the file is of another network.
    public let strangers: [String]
    /// What tensors that are no weights state about the model.
    public let marks: CheckpointMarks
    /// What the weights show about the prediction, where the family leaves it open.
    public let evidence: PredictionEvidence?
    /// What the network predicts, in diffusers' words, by the caller's choice; it overrules the file.
    public var prediction: String?
    private let sources: [ModelComponent: LayoutSource]
    private let source: any TensorSource

    /// Takes a file apart.
    ///
    /// - Parameters:
    ///   - source: the tensors of the file under their own names.
    ///   - family: what the file is; recognised where nil.
    ///   - usesAverage: whether the denoising network's moving average (`model_ema`) is taken instead of the
    ///     weights beside it.
    ///   - heads: the heads, which cannot be seen where a U-Net keeps queries, keys and values in one tensor; those of the
    ///     published ones where `nil`.
    /// - Throws: `CheckpointError` where the family is unknown, or the average is wanted and missing.
    public init(
        _ source: any TensorSource, family: CheckpointFamily? = nil, usesAverage: Bool = false,
        heads: HeadSplit? = nil
    ) throws {
        let source = ScaledSource.over(source)
        self.family = try family ?? Self.recognized(source)
        marks = try CheckpointMarks(source, of: self.family)
        evidence = PredictionEvidence(source, of: self.family)
        let taken = usesAverage ? try AverageSource(source) : source
        self.source = source
        let names = taken.names
        var sources: [ModelComponent: LayoutSource] = [:]
        var (components, setAside): ([ModelComponent], [(name: String, reason: String)]) = ([], [])
        var claims: [TensorLayout] = []
        var (strays, strangers): ([String], [String]) = ([], [])
        for (component, layout) in self.family.layouts(names, heads: heads) {
            let part = try LayoutSource(taken, layout)
            components.append(component)
            sources[component] = part
            setAside += part.setAside
            claims.append(layout)
            // What text encoders may hold besides, they say when they are built.
            if component.tokenizer == nil { strangers += part.unknown }
        }
        for name in names where !claims.contains(where: { $0.claims(name) }) {
            if let reason = reasonToSetAside(name) {
                setAside.append((name, reason))
            } else if partScopes.contains(where: name.hasPrefix) {
                strangers.append(name)
            } else if !marks.names.contains(name) {
                strays.append(name)
            }
        }
        (self.components, self.setAside, self.sources) = (components, setAside, sources)
        (self.strays, self.strangers) = (strays, strangers)
    }

    /// Throws where tensors stand among the names of parts that this family does not have.
    /// - Parameter isStrict: whether it throws for tensors outside the parts, too.
    /// - Throws: `CheckpointError`.
    public func check(isStrict: Bool) throws {
        let odd = isStrict ? strangers + strays : strangers
        guard !odd.isEmpty else { return }
        throw CheckpointError(
            "", "\(odd.count) tensors belong to no part of \(family.rawValue): \(listed(odd))")
    }

    private static func recognized(_ source: any TensorSource) throws -> CheckpointFamily {
        switch CheckpointRecognition(source) {
        case .family(let family): return family
        case .unknown(let reason):
            throw CheckpointError("", "the family of this checkpoint is not known: \(reason)")
        }
    }

    /// The tensors of a component under their native names.
    /// - Throws: `CheckpointError` where the file does not hold the component.
    public func weights(of component: ModelComponent) throws -> LayoutSource {
        guard let found = sources[component] else {
            throw CheckpointError(
                "", "the file holds no \(component.rawValue), only \(listed(components.map(\.rawValue)))")
        }
        return found
    }

    /// The configurations of the family, for the components in this file and the schedules, as the file's marks and
    /// weights have them.
    public func configurations() throws -> [ModelComponent: JSONObject] {
        var published = family.configurations(source).filter { $0.key.isSchedule || sources[$0.key] != nil }
        if (prediction ?? evidence?.prediction) == "epsilon", evidence != nil, marks.process == nil {
            published[.unet]?["sample_size"] = 64
            published[.scheduler] = Published.pseudoNumerical
        }
        for (component, object) in published {
            published[component] = try marked(object, component, isPublished: true)
        }
        return published
    }

    /// A folder's configuration of a component, with what the file's marks change in it.
    /// - Throws: `CheckpointError` where the folder's schedule has no class.
    public func configuration(of component: ModelComponent, described object: JSONObject) throws -> JSONObject
    {
        try marked(object, component, isPublished: false)
    }

    private func marked(_ object: JSONObject, _ component: ModelComponent, isPublished: Bool) throws
        -> JSONObject
    {
        switch component {
        case .vae: return marks.autoencoder(object, isPublished: isPublished)
        case .scheduler: break
        default: return object
        }
        var object = overrulesMarks ? object : try marks.scheduler(object, isPublished: isPublished)
        if let prediction { object["prediction_type"] = .string(prediction) }
        return object
    }

    /// Whether marks of v are overruled as a whole: a process without signal at its end is part of them.
    private var overrulesMarks: Bool {
        guard case .velocity = marks.process, let prediction else { return false }
        return prediction != "v_prediction"
    }

    /// What the file's marks say, what was concluded from its weights, and what they cannot tell, in sentences.
    /// - Parameter isDescribed: whether a folder describes the model, so that nothing had to be concluded.
    public func caveats(isDescribed: Bool = false) -> [String] {
        let isKnown = isDescribed || prediction != nil || marks.process != nil
        let mark = marks.remark.map { overrulesMarks ? "\($0), which is overruled" : $0 }
        return [mark, isKnown ? nil : evidence?.remark].compactMap(\.self)
            + (isDescribed ? [] : family.caveats)
    }

    /// A line about the tensors outside all parts; `nil` where there are none.
    public var passedOver: String? {
        guard !strays.isEmpty else { return nil }
        let shown = strays.prefix(5).map(quoted).joined(separator: ", ")
        let more = strays.count > 5 ? ", …" : ""
        let count = strays.count == 1 ? "1 tensor" : "\(strays.count) tensors"
        return "passed over \(count) outside the model's parts: \(shown)\(more)"
    }

    /// Whether nothing says what the network predicts, so that the caller must give it.
    public var needsPrediction: Bool {
        evidence.map { $0.prediction == nil } == true && marks.process == nil && prediction == nil
    }
}

/// With what the names of parts begin in single files. A tensor there that no layout claims is of a part that the
/// family lacks.
private let partScopes = [
    "model.diffusion_model.", "first_stage_model.", "vae.", "cond_stage_model.", "conditioner.",
    "text_encoders.",
]

/// Why a tensor outside every component is not needed; nil where nothing says so.
private func reasonToSetAside(_ name: String) -> String? {
    if name.hasPrefix("model_ema.") { return "it belongs to the moving average, which was not chosen" }
    if schedules.contains(name) || name.hasPrefix("low_scale_model.") || name.hasPrefix("denoiser.")
        || name.hasPrefix("model_sampling.")
    {
        return "it is a table of the schedule, which is computed"
    }
    return name.hasSuffix(".logit_scale") ? "it belongs to the comparison of texts with pictures" : nil
}

private let schedules: Set<String> = [
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod",
    "posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
    "lvlb_weights", "logvar", "scale_factor", "ddim_sigmas", "ddim_alphas", "ddim_alphas_prev",
    "ddim_sqrt_one_minus_alphas",
]

/// A source whose denoising network is its moving average (`LitEma` of the latent-diffusion code, which keeps
/// `model.a.b` as `model_ema.ab`).
private struct AverageSource: TensorSource {
    private let source: any TensorSource
    let names: [String]

    init(_ source: any TensorSource) throws {
        let all = source.names
        let known = Set(all)
        names = all.filter { !$0.hasPrefix("model_ema.") }
        let missing = names.filter { Self.average(of: $0).map { !known.contains($0) } ?? false }
        guard missing.isEmpty else {
            throw CheckpointError("", "the file holds no moving average of \(listed(missing))")
        }
        self.source = source
    }

    private static func average(of name: String) -> String? {
        guard name.hasPrefix("model.diffusion_model.") else { return nil }
        return "model_ema." + name.dropFirst("model.".count).filter { $0 != "." }
    }

    var files: [String] { source.files }
    private func original(_ name: String) -> String { Self.average(of: name) ?? name }
    func shape(of name: String) -> Shape? { source.shape(of: original(name)) }
    func elementType(of name: String) -> ElementType? { source.elementType(of: original(name)) }
    func tensor(named name: String) throws -> Tensor { try source.tensor(named: original(name)) }
}

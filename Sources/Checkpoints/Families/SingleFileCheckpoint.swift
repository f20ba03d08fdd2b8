import Layers
import Storage
import Tensors

/// A whole model in one file of its original layout, taken apart into the networks of diffusers.
///
///     let file = try SingleFileCheckpoint(SafetensorsFile(path: "v1-5-pruned.safetensors"))
///     let unet = try ParameterStore(.loaded(file.weights(of: .unet))).build { try UNet(…, $0) }
///
/// Every tensor of the file belongs to a component, is set aside for a reason that is kept, or is an error.
public struct SingleFileCheckpoint: Sendable {
    /// What the file is.
    public let family: CheckpointFamily
    /// The components whose tensors the file holds.
    public let components: [ModelComponent]
    /// Tensors that no component needs, and why.
    public let setAside: [(name: String, reason: String)]
    /// Tensors that belong to nothing known; none unless they were allowed.
    public let strays: [String]
    private let sources: [ModelComponent: LayoutSource]
    private let source: any TensorSource

    /// Takes a file apart.
    ///
    /// - Parameters:
    ///   - source: the tensors of the file under their own names.
    ///   - family: what the file is; recognised where nil.
    ///   - usesAverage: whether the denoising network's moving average (`model_ema`) is taken instead of the
    ///     weights beside it.
    ///   - allowsStrays: whether tensors that belong to nothing known are passed over.
    ///   - headWidth: the width of heads, which cannot be seen where a U-Net keeps queries, keys and values in
    ///     one tensor; that of the published ones where `nil`.
    /// - Throws: `CheckpointError` where the family is unknown, the average is wanted and missing, or a
    ///   tensor belongs to nothing known.
    public init(
        _ source: any TensorSource, family: CheckpointFamily? = nil, usesAverage: Bool = false,
        allowsStrays: Bool = false, headWidth: Int? = nil
    ) throws {
        self.family = try family ?? Self.recognized(source)
        let taken = usesAverage ? try AverageSource(source) : source
        self.source = source
        let names = taken.names
        var sources: [ModelComponent: LayoutSource] = [:]
        var (components, setAside): ([ModelComponent], [(name: String, reason: String)]) = ([], [])
        var claims: [TensorLayout] = []
        let width = headWidth ?? CheckpointFamily.headWidth
        for (component, layout) in self.family.layouts(names, headWidth: width) {
            let part = try LayoutSource(taken, layout)
            components.append(component)
            sources[component] = part
            setAside += part.setAside
            claims.append(layout)
        }
        var strays: [String] = []
        for name in names where !claims.contains(where: { $0.claims(name) }) {
            if let reason = reasonToSetAside(name) {
                setAside.append((name, reason))
            } else {
                strays.append(name)
            }
        }
        guard strays.isEmpty || allowsStrays else {
            throw CheckpointError(
                "", "\(strays.count) tensors belong to no part of \(self.family.rawValue): \(listed(strays))")
        }
        (self.components, self.setAside, self.strays, self.sources) = (components, setAside, strays, sources)
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

    /// The configurations of the family, for the components in this file and the schedules.
    public var configurations: [ModelComponent: JSONObject] {
        family.configurations(source).filter { $0.key.isSchedule || sources[$0.key] != nil }
    }
}

/// Why a tensor outside every component is not needed; nil where nothing says so.
private func reasonToSetAside(_ name: String) -> String? {
    if name.hasPrefix("model_ema.") { return "it belongs to the moving average, which was not asked for" }
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

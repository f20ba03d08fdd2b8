import Hub
import Storage

/// Where models lie that a user names: paths as they stand, and `org/name` in the cache of the hub, fetched where it is not
/// there.
public struct ModelLocator: Sendable {
    /// Whether nothing is fetched, whatever the environment says.
    public var isOffline = false
    /// Called as a model arrives.
    public var onProgress: @Sendable (HubProgress) -> Void = { _ in }
    /// Called with a sentence that a person should know.
    public var onMessage: @Sendable (String) -> Void = { _ in }

    /// As the environment says, without a word.
    public init() {}

    /// Endings of names of files, which no model of the hub has.
    private static let fileEndings = [
        ".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".json", ".yaml", ".png", ".jpg", ".webp",
    ]

    /// Whether a text names a model of the hub: it has the form `org/name` or `org/name@revision`, and is no path. What
    /// has no revision is a path where the folder that it begins with is there, or where it ends as files do.
    public static func isOnHub(_ model: String) -> Bool {
        guard HubReference.isOne(model), !Files.exists(model) else { return false }
        if model.contains("@") { return true }
        let folder = String(model.prefix { $0 != "/" })
        return !Files.isFolder(folder) && !fileEndings.contains { model.lowercased().hasSuffix($0) }
    }

    /// The path of a model.
    /// - Parameters:
    ///   - model: a path, which is given back as it is, or a model of the hub.
    ///   - revision: a branch, a tag or a commit of a model of the hub; `main` where neither this nor the name says.
    ///   - variant: the set of weights, such as `fp16`.
    ///   - takesWeights: whether weights are wanted, and not merely what describes the model.
    /// - Throws: `HubError` where it cannot be had, one sentence; `PipelineError` for a revision of a path.
    public func path(
        of model: String, revision: String? = nil, variant: String? = nil, takesWeights: Bool = true
    ) throws -> String {
        guard Self.isOnHub(model) else {
            guard revision == nil else {
                throw PipelineError(
                    "revisions are those of models of the hub (org/name), and '\(model)' is a path: leave out the revision"
                )
            }
            return model
        }
        var settings = try HubSettings()
        settings.isOffline = settings.isOffline || isOffline
        var hub = Hub(settings)
        if settings.showsProgress { hub.onProgress = onProgress }
        hub.onMessage = onMessage
        do {
            return try hub.model(model, revision: revision, variant: variant, takesWeights: takesWeights)
        } catch let error as HubError where error.isOfUnknownModel && !model.contains("@") {
            // A mistyped path has the form of such a name, too.
            throw error.adding("there is no file or folder '\(printable(model))' here, either")
        }
    }
}

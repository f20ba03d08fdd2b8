import Storage

/// A model as it is wanted.
struct WantedModel {
    let model: HubReference
    /// The set of weights, such as `fp16`; parts that lack it have the plain one.
    let variant: String?
    /// Whether weights are wanted, and not merely what describes the model.
    let takesWeights: Bool
}

/// How far a download is.
public struct HubProgress: Sendable {
    /// Bytes that are there, those of earlier runs included.
    public let byteCount: Int
    /// Bytes in all.
    public let total: Int
    /// Bytes that were there when this run began.
    public let first: Int
}

/// Models of the Hugging Face hub, fetched into the cache that Python's library shares.
///
/// ```swift
/// let folder = try Hub().model("org/name")
/// ```
public struct Hub {
    /// Where the hub and the cache are.
    public let settings: HubSettings
    /// The cache.
    public let cache: HubCache
    /// Called as bytes arrive.
    public var onProgress: (HubProgress) -> Void = { _ in }
    /// Called with a sentence that a person should know.
    public var onMessage: (String) -> Void = { _ in }

    /// The hub of the environment's settings.
    /// - Throws: `HubError` where a variable holds what it cannot.
    public init() throws(HubError) { self.init(try HubSettings()) }

    /// A hub.
    public init(_ settings: HubSettings) {
        self.settings = settings
        cache = HubCache(settings.cache)
    }

    /// A model in the cache, fetched where it is not there: its folder, or its only file.
    ///
    /// A commit that is there is opened without a request; for a branch or a tag one request finds its commit.
    /// Where the hub cannot be reached, what is there of that revision is taken.
    /// - Parameters:
    ///   - name: `org/name`, perhaps with `@revision`.
    ///   - revision: the revision where the name has none; `main` where `nil`.
    ///   - variant: the set of weights, such as `fp16`; the plain one where `nil`, and of parts that lack it.
    ///   - takesWeights: whether weights are wanted, and not merely what describes the model.
    /// - Throws: `HubError`, one sentence; `FileError` about the cache.
    public func model(
        _ name: String, revision: String? = nil, variant: String? = nil, takesWeights: Bool = true
    ) throws -> String {
        let wanted = WantedModel(
            model: try HubReference(name, revision: revision), variant: variant, takesWeights: takesWeights)
        if wanted.model.isCommit, let path = try? cached(wanted) { return path }
        if settings.isOffline { return try offline(wanted) }
        return try requested(wanted)
    }

    /// What is there of the revision by now, the hub asked first.
    private func requested(_ wanted: WantedModel) throws -> String {
        let (model, here) = (wanted.model, try? cached(wanted, takesOtherVariants: true))
        let client = try HubClient(settings)
        let listing: HubClient.Listing
        do {
            listing = try client.repeating(model.name, isPatient: here == nil) { try client.listing(model) }
        } catch let error as HubError {
            guard let here else { throw error }
            onMessage("\(error); what the cache holds of \(model.name) is used")
            return here
        }
        let commit = listing.commit
        let files = ModelFiles(names: Set(listing.files), wanted: wanted, isWhole: true)
        let download = SnapshotDownload(
            client: client, cache: cache, model: model, commit: commit, onProgress: onProgress,
            onMessage: onMessage)
        let opened = try files.select(fetch: download.run) { try read($0, commit, model) }
        UnfinishedBlob.sweep(cache, model.name)
        try cache.setCommit(commit, of: model)
        return path(opened, commit, model)
    }

    // MARK: Here

    /// A model that is there as a whole, without a request.
    /// - Throws: `ModelFiles.Missing` where it is not.
    private func cached(_ wanted: WantedModel, takesOtherVariants: Bool = false) throws -> String {
        let model = wanted.model
        guard let commit = cache.commit(of: model) else {
            throw ModelFiles.Missing(what: "the revision \(model.revision)")
        }
        let listed = try cache.listedFiles(commit, model.name)
        let files = ModelFiles(
            names: Set(listed ?? cache.files(commit, model.name)), wanted: wanted, isWhole: listed != nil,
            takesOtherVariants: takesOtherVariants)
        let opened = try files.select { names in
            if let missing = names.first(where: { !cache.has($0, commit, model.name) }) {
                throw ModelFiles.Missing(what: missing)
            }
        } read: {
            try read($0, commit, model)
        }
        return path(opened, commit, model)
    }

    private func offline(_ wanted: WantedModel) throws -> String {
        do {
            return try cached(wanted, takesOtherVariants: true)
        } catch let missing as ModelFiles.Missing {
            throw HubError.input(
                "there is no whole \(wanted.model.name) in the cache \(printable(cache.path)) (\(printable(missing.what)) is missing), and nothing is fetched offline: fetch it once while there is a connection"
            ).ofUnknownModel
        }
    }

    private func path(_ opened: String?, _ commit: String, _ model: HubReference) -> String {
        let folder = cache.snapshot(commit, model.name)
        return opened.map { "\(folder)/\($0)" } ?? folder
    }

    private func read(_ name: String, _ commit: String, _ model: HubReference) throws -> JSONObject {
        let file = "\(cache.snapshot(commit, model.name))/\(name)"
        guard let object = JSONObject(json: try JSONValue(file: file)) else {
            throw ContentError(file, "it must be an object")
        }
        return object
    }
}

/// A number of bytes as a person reads it: `4.27 GB`.
public func byteText(_ count: Int) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"]
    var (value, unit) = (Double(count), 0)
    while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    guard unit > 0 else { return "\(count) bytes" }
    let digits = value < 10 ? 100.0 : value < 100 ? 10.0 : 1.0
    let rounded = (value * digits).rounded() / digits
    return digits == 1 ? "\(Int(rounded)) \(units[unit])" : "\(rounded) \(units[unit])"
}

import Storage

/// Which of a model's files are needed to open it: every configuration and tokenizer file of its parts, and weights in
/// safetensors of one variant. Weights of other frameworks, of other variants and of the safety checker are not.
struct ModelFiles {
    /// The names of the files there are.
    let names: Set<String>
    /// What is wanted of them.
    let wanted: WantedModel
    /// Whether these are all files of the model, and not merely those that are here.
    let isWhole: Bool
    /// Where these are merely those that are here: whether weights of another variant than the wanted one will do.
    var takesOtherVariants = false

    private var model: HubReference { wanted.model }
    private var variant: String? { wanted.variant }

    static let indexName = "model_index.json"
    /// What this program writes beside an index.
    private static let cardName = "langevin.json"
    /// A part that has no use here.
    private static let unused = "safety_checker"
    /// How the names of parts begin that are no networks, whatever configurations they have.
    private static let plainParts = ["scheduler", "tokenizer", "feature_extractor", "image_processor"]

    /// The files of the parts that were missing where not all files are known.
    struct Missing: Error {
        let what: String
    }

    /// Goes through the files in an order in which each is described by those before it, weights last: where these are
    /// there, all is.
    /// - Parameters:
    ///   - fetch: sees to it that files are there.
    ///   - read: the JSON object in a file.
    /// - Returns: what is opened of the snapshot: a file, or nothing for its folder.
    func select(
        fetch: ([String]) throws -> Void, read: (_ name: String) throws -> JSONObject
    ) throws -> String? {
        guard names.contains(Self.indexName) else { return try selectWithoutIndex(fetch: fetch, read: read) }
        try fetch([Self.indexName])
        let parts = try parts(of: read(Self.indexName))
        try fetch([Self.cardName].filter(names.contains) + parts.flatMap { try descriptions(in: $0 + "/") })
        try fetch(
            parts.filter { $0 != Self.unused }
                .flatMap { try weights(in: $0 + "/", isNetwork: isNetwork($0), read) })
        return nil
    }

    private func isNetwork(_ part: String) -> Bool {
        names.contains("\(part)/config.json") && !Self.plainParts.contains(where: part.hasPrefix)
    }

    private func selectWithoutIndex(
        fetch: ([String]) throws -> Void, read: (_ name: String) throws -> JSONObject
    ) throws -> String? {
        if names.contains("config.json") {
            try fetch(descriptions(in: ""))
            try fetch(weights(in: "", isNetwork: true, read))
            return nil
        }
        let files = names.filter { $0.hasSuffix(".safetensors") && !$0.contains("/") }.sorted()
        guard let file = files.first else {
            throw isWhole ? HubError.input(nothingReadable()) : Missing(what: "its \(Self.indexName)")
        }
        guard files.count == 1 else {
            throw HubError.input(
                "\(model.name) has no \(Self.indexName) and several files (\(listed(files))): fetch the one you want, and give its path"
            )
        }
        try fetch([file])
        return file
    }

    private func nothingReadable() -> String {
        let pickles = names.filter(Self.isForeign).sorted()
        return pickles.isEmpty
            ? "\(model.name) holds no model: no \(Self.indexName), no config.json and no .safetensors"
            : "\(model.name) holds no safetensors, but \(listed(pickles)), which can run any code where they are read: fetch it yourself and convert it ('langevin convert')"
    }

    // MARK: Parts

    /// The folders of the parts that an index names, in their order there.
    private func parts(of index: JSONObject) throws -> [String] {
        try index.keys.sorted().filter { name in
            guard case .array(let pair) = index[name], !pair.allSatisfy({ $0 == .null }) else { return false }
            guard Self.isSafe(name), !name.contains("/") else {
                throw HubError.input(
                    "\(model.name): its \(Self.indexName) names the part \(quoted(name)), which can be no folder's name"
                )
            }
            guard isWhole || names.contains(where: { $0.hasPrefix(name + "/") }) else {
                throw Missing(what: "the folder \(name)")
            }
            return true
        }
    }

    /// Configurations, vocabularies, and the indexes of the weights that are wanted.
    private func descriptions(in folder: String) throws -> [String] {
        let hasWeights = wanted.takesWeights && folder != Self.unused + "/"
        let indexes = hasWeights ? try weightFiles(in: folder).filter { $0.hasSuffix(".json") } : []
        let described = names.filter { name in
            guard name.hasPrefix(folder) else { return false }
            let rest = name.dropFirst(folder.count)
            return !rest.contains("/") && !rest.contains(".index.")
                && [".json", ".txt", ".model"].contains { rest.hasSuffix($0) }
                && !["README", "LICENSE"].contains { rest.uppercased().hasPrefix($0) }
        }
        return described.sorted() + indexes
    }

    /// The files of weights of a folder, shards in place of their index.
    private func weights(
        in folder: String, isNetwork: Bool, _ read: (_ name: String) throws -> JSONObject
    ) throws -> [String] {
        guard wanted.takesWeights else { return [] }
        let files = try weightFiles(in: folder)
        let place = folder.isEmpty ? model.name : "\(model.name), \(folder.dropLast())"
        if files.isEmpty, isNetwork {
            guard isWhole else { throw Missing(what: "the weights in \(folder.isEmpty ? "it" : folder)") }
            let foreign = names.filter { $0.hasPrefix(folder) && Self.isForeign($0) }.sorted()
            if !foreign.isEmpty {
                throw HubError.input(
                    "\(place): its weights are no safetensors, but \(listed(foreign)), which can run any code where they are read: give another revision, or fetch it yourself and convert it ('langevin convert')"
                )
            }
        }
        return try files.flatMap { file in
            guard file.hasSuffix(".json") else { return [file] }
            return try shards(of: file, folder, read)
        }
    }

    private func shards(of index: String, _ folder: String, _ read: (_ name: String) throws -> JSONObject)
        throws -> [String]
    {
        let map = try read(index).required("weight_map", as: JSONObject.self)
        let shards = Set(try map.keys.map { try map.required($0, as: String.self) })
        return try shards.sorted().map { shard in
            guard Self.isSafe(shard), !shard.contains("/"), shard.hasSuffix(".safetensors") else {
                throw HubError.input(
                    "\(model.name): \(index) names the shard \(quoted(shard)), which is no file beside it")
            }
            guard names.contains(folder + shard) else {
                guard isWhole else { throw Missing(what: folder + shard) }
                throw HubError.input(
                    "\(model.name): \(index) names the shard \(quoted(shard)), which is not there: give another revision"
                )
            }
            return folder + shard
        }
    }

    /// The weights of a folder, single files or indexes: those of the variant, or else the plain ones, or else those in
    /// half precision.
    private func weightFiles(in folder: String) throws -> [String] {
        for variant in [variant, nil, "fp16", "bf16"] {
            let endings = variant.map { (".safetensors.index.\($0).json", ".\($0).safetensors") }
            let (index, single) = endings ?? (".safetensors.index.json", ".safetensors")
            let found = ["diffusion_pytorch_model", "model"].compactMap { base in
                [index, single].map { folder + base + $0 }.first(where: names.contains)
            }
            guard !found.isEmpty else { continue }
            guard isWhole || takesOtherVariants || variant == wanted.variant else {
                throw Missing(
                    what: "the \(wanted.variant.map { "variant '\($0)'" } ?? "plain weights") in \(folder)")
            }
            return found
        }
        return []
    }

    private static func isForeign(_ name: String) -> Bool {
        [".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".h5", ".onnx"].contains { name.hasSuffix($0) }
    }

    // MARK: Names

    private static let reserved: Set<String> = Set(
        ["CON", "PRN", "AUX", "NUL"] + (1...9).flatMap { ["COM\($0)", "LPT\($0)"] })

    /// Whether a name leads to a place inside a folder, by the rules of POSIX and of Windows.
    static func isSafe(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return name.utf8.count <= 1000
            && name.unicodeScalars.allSatisfy {
                $0.value >= 0x20 && !"\\:*?\"<>|\u{7F}".unicodeScalars.contains($0)
            }
            && parts.allSatisfy { part in
                let stem = part.prefix { $0 != "." }.uppercased()
                return !part.isEmpty && part.utf8.count <= 255 && !part.hasSuffix(".") && !part.hasSuffix(" ")
                    && !reserved.contains(stem)
            }
    }
}

import Checkpoints
import Diffusers
import Diffusion
import Layers
import Networks
import Storage
import Tensors
import Tokenizers

/// Where the parts of a model are: in a folder of the diffusers layout, in one file of its original
/// layout or of this program's (`convert`), or anywhere (`ModelParts`). Nothing is read before it is needed, and weights are mapped, so that opening costs next to
/// nothing however large the model is.
public struct ModelSource: Sendable {
    private enum Place: Sendable {
        case folder
        /// A file, and the folder that its configurations and tokenizers are in where they are not the
        /// published ones.
        case file(SingleFileCheckpoint, configurations: ModelLayout?)
        /// A file with all that a folder has.
        case packed(PackedModel)
        /// Parts that may be anywhere.
        case parts(ModelParts)
    }

    /// The folder or the file.
    public let path: String
    /// A short name for messages and receipts.
    public let name: String
    /// The family that the model belongs to.
    package let assembly: any StoredAssembly.Type
    private let place: Place
    /// `model_index.json`; empty for a file without a folder of configurations.
    let index: JSONObject
    private let variant: String?
    /// What the network is said to predict, whatever the model says itself.
    public let prediction: Prediction?
    /// The parts of a folder that lack the variant that was asked for.
    private let plainParts: [String]
    /// Parts that other folders take the place of.
    private(set) var replaced: [ModelComponent: ModelFolder] = [:]
    /// What adapters change in each part.
    private(set) var adapted: [ModelComponent: [AdaptedSource.Application]] = [:]
    /// The adapters as receipts have them: the files that were read.
    private(set) var adapters: [Receipt.Adapter] = []
    /// Whether adapters of the denoising network are computed beside its weights.
    private(set) var hasLiveAdapters = false
    /// The words that were given vectors, by text encoder.
    private(set) var words: [ModelComponent: [EmbeddedWord]] = [:]
    /// The files of these vectors, as receipts have them.
    private(set) var embeddings: [Receipt.Embedding] = []

    /// Opens a model.
    ///
    /// - Parameters:
    ///   - model: a run folder, a folder in the diffusers layout, a `.safetensors` or GGUF file in the original one, one of
    ///     this program's, or `org/name` on the hub.
    ///   - configurations: for a file, a folder in the diffusers layout whose configurations and tokenizers
    ///     describe it; the published ones of its family where `nil`.
    ///   - variant: the set of weights in a folder, such as `fp16`; parts that lack it, and all where `nil`, have the
    ///     plain one, or the only one there is.
    ///   - usesAverage: for a file, whether the moving average of its network is taken.
    ///   - prediction: what the network predicts, whatever the model says itself.
    ///   - isStrict: for a file, whether tensors outside the model's parts are refused.
    ///   - locator: how a model of the hub is fetched.
    /// - Throws: `PipelineError` or `CheckpointError` that says what is there instead; `HubError`.
    public init(
        _ model: String, configurations: String? = nil, variant: String? = nil, usesAverage: Bool = false,
        prediction: Prediction? = nil, isStrict: Bool = false, locator: ModelLocator = ModelLocator()
    ) throws {
        let model = try locator.path(of: model, variant: variant)
        self.variant = variant
        self.prediction = prediction
        let described = try configurations.map { try ModelLayout(model: $0) }
        guard Files.isFolder(model) || !Files.exists(model) else {
            path = model
            guard variant == nil else {
                throw PipelineError("\(model) is one file, which has no variants: leave out \(.variant)")
            }
            plainParts = []
            if let packed = try PackedModel(path: model) {
                guard described == nil else {
                    throw PipelineError(
                        "\(model) is a model that describes itself: leave out \(.configurations)")
                }
                (place, name, index) = (.packed(packed), Self.name(ofFile: model), try packed.index())
                assembly = try Self.assembly(of: index)
                return
            }
            var file = try Self.open(model, usesAverage: usesAverage, heads: described?.heads())
            file.prediction = prediction?.rawValue
            try locating(model) { try file.check(isStrict: isStrict) }
            guard described != nil || !file.needsPrediction else { throw Self.predictionIsOpen(model, file) }
            place = .file(file, configurations: described)
            name = Self.name(ofFile: model)
            index = try described?.index() ?? JSONObject(place: model)
            guard let known = Assemblies.named(file.family.pipeline) else {
                throw PipelineError(
                    "\(model): models of the layout '\(file.family.rawValue)' are not sampled here")
            }
            assembly = known
            return
        }
        let layout = try ModelLayout(model: model)
        guard described == nil else {
            throw PipelineError("\(model) is a folder and describes itself: leave out \(.configurations)")
        }
        (path, name, place, index) = (layout.path, layout.name, .folder, try layout.index())
        plainParts = try variant.map { try layout.parts(without: $0) } ?? []
        assembly = try Self.assembly(of: index)
    }

    /// A model of parts.
    /// - Throws: `PipelineError` where their pipeline is not known, or their process has no file form.
    public init(_ parts: ModelParts) throws {
        (path, name, place, index) = (parts.name, parts.name, .parts(parts), try parts.fullIndex())
        (variant, prediction, plainParts) = (nil, nil, [])
        assembly = try Self.assembly(of: index)
    }

    private static func name(ofFile path: String) -> String {
        path.split(separator: "/").last.map { String($0.prefix { $0 != "." }) } ?? path
    }

    private static func assembly(of index: JSONObject) throws -> any StoredAssembly.Type {
        let pipeline = try index.required("_class_name", as: String.self)
        guard let known = Assemblies.named(pipeline) else {
            let names = Assemblies.classNames.joined(separator: ", ")
            throw PipelineError(
                "\(index.place): the pipeline \(quoted(pipeline)) is not known here: there are \(names)")
        }
        return known
    }

    /// Opens a model as options say.
    /// - Throws: `PipelineError` or `CheckpointError` that says what is there instead.
    public init(_ model: String, _ options: ModelOptions) throws {
        try self.init(
            model, configurations: options.configurations, variant: options.variant,
            prediction: options.prediction, isStrict: options.isStrict, locator: options.locator)
        if !options.adapters.isEmpty { self = try adapted(by: options.adapters) }
        guard !options.hasLiveAdapters || !options.adapters.isEmpty else {
            throw PipelineError("\(.hasLiveAdapters) is about adapters, and there is none: leave it out")
        }
        hasLiveAdapters = options.hasLiveAdapters
        if !options.embeddings.isEmpty { self = try reading(options.embeddings) }
    }

    private static func open(_ path: String, usesAverage: Bool, heads: HeadSplit?) throws
        -> SingleFileCheckpoint
    {
        guard try !CheckpointFormat(of: path).isPickled else {
            throw PipelineError(
                "\(path) is a pickle, which can run any code where it is read: convert it first, on a machine where that does no harm ('langevin convert \(path) OUT.safetensors')"
            )
        }
        return try locating(path) {
            try SingleFileCheckpoint(
                plainTensors(of: path), usesAverage: usesAverage, heads: heads)
        }
    }

    static func predictionIsOpen(_ path: String, _ file: SingleFileCheckpoint) -> PipelineError {
        PipelineError(
            "\(path): \(file.caveats().joined(separator: "; ")): give \(.prediction) noise or \(.prediction) v"
        )
    }

    /// What is worth knowing of how the model was opened, in sentences.
    public func notes() -> [String] {
        switch place {
        case .folder: plainParts.isEmpty ? [] : [ModelLayout.note(on: plainParts, without: variant)]
        case .parts, .packed: []
        case .file(let file, let layout):
            file.caveats(isDescribed: layout != nil) + [file.passedOver].compactMap(\.self)
        }
    }

    /// The file taken apart; `nil` for a folder, and for a file that describes itself.
    public var file: SingleFileCheckpoint? {
        if case .file(let file, _) = place { return file }
        return nil
    }

    /// The one file that all parts are in; `nil` where they are apart.
    var onlyFile: String? {
        switch place {
        case .file, .packed: path
        case .folder, .parts: nil
        }
    }

    // MARK: Parts

    /// The weights of a part under its network's own names, with what adapters change.
    func nativeWeights(_ type: any ConfiguredNetwork.Type, _ component: ModelComponent) throws
        -> any TensorSource
    {
        let native = try type.native(weights(of: component))
        guard !isLive(component) else { return native }
        return try adapted[component].map { try AdaptedSource(native, $0) } ?? native
    }

    /// Whether adapters of a part are computed beside its weights: those of the denoising network, where that is wanted.
    func isLive(_ component: ModelComponent) -> Bool {
        hasLiveAdapters && component == assembly.networkComponent
    }

    /// The changes of a part that are computed beside its weights; `nil` where there are none.
    func liveChanges(
        _ type: any ConfiguredNetwork.Type, _ component: ModelComponent, in elementType: ElementType,
        on device: Device
    ) throws -> LayerChanges? {
        guard isLive(component), let applications = adapted[component] else { return nil }
        return try AdaptedSource(type.native(weights(of: component)), applications).changes(
            in: elementType, on: device)
    }

    /// The model with adapters.
    /// - Throws: `CheckpointError` that names a key which changes nothing here, or the model that an adapter was made for.
    private func adapted(by adapters: [ModelAdapter]) throws -> ModelSource {
        guard assembly is any LatentAssembly.Type else {
            throw PipelineError("\(.adapters) change models on latents, and \(name) is none: leave it out")
        }
        var (source, places) = (self, AdapterPlaces())
        for component in ModelComponent.allCases where !component.isSchedule {
            guard try has(component), component == assembly.networkComponent || component.tokenizer != nil
            else {
                continue
            }
            let type = try KnownNetworks.network(of: configuration(of: component))
            places.add(
                component, try type.native(weights(of: component)),
                isMain: component == assembly.networkComponent)
        }
        for adapter in adapters {
            let file = try adapter.read()
            source.adapters.append(try adapter.record())
            try adapter.check(base: file.base, of: self)
            for (component, applications) in try places.applications(
                of: file, strength: adapter.weight, blocks: adapter.blocks)
            {
                source.adapted[component, default: []] += applications
            }
        }
        return source
    }

    /// The model with words for learned vectors.
    /// - Throws: `PipelineError` that says which model vectors were made for, or which word is there twice.
    private func reading(_ embeddings: [ModelEmbedding]) throws -> ModelSource {
        guard (assembly as? any TextAssembly.Type)?.readsInversions == true else {
            throw PipelineError(
                "\(.embeddings) are words of models whose prompts CLIP alone reads (Stable Diffusion 1, 2 and XL), and \(name) is none: leave it out"
            )
        }
        var source = self
        for embedding in embeddings {
            let file = try embedding.read()
            let word = embedding.word ?? file.word
            for (component, vectors) in try embedding.encoders(of: self, file) {
                guard source.words[component]?.contains(where: { $0.word == word }) != true else {
                    throw PipelineError(
                        "\(.embeddings): the word \(quoted(word)) is given twice: name one of them otherwise (FILE:WORD)"
                    )
                }
                source.words[component, default: []].append(EmbeddedWord(word: word, vectors: vectors))
            }
            source.embeddings.append(try embedding.record(word))
        }
        return source
    }

    /// The model with a part from a folder of its own.
    /// - Throws: `PipelineError` where the folder is that of no network.
    /// - Parameter field: what asked for it.
    func replacing(_ component: ModelComponent, by path: String, _ field: RequestField) throws -> ModelSource
    {
        guard let folder = ModelLayout.networkFolder(of: path) else {
            let network: Sentence = field == .autoencoder ? "an autoencoder" : "an encoder of pictures"
            throw PipelineError(
                "\(field): '\(path)' is no folder of \(network) with its config.json: give one")
        }
        var source = self
        source.replaced[component] = folder
        return source
    }

    /// Whether the model has a part. A part that the index gives as `[null, null]`, or not at all, is absent.
    public func has(_ component: ModelComponent) throws -> Bool {
        if replaced[component] != nil { return true }
        return switch place {
        case .folder, .parts, .packed: try className(of: component) != nil
        case .file(let file, _): component.isSchedule || file.components.contains(component)
        }
    }

    /// The class that the index names for a part; `nil` where the part is absent.
    public func className(of component: ModelComponent) throws -> String? {
        try className(of: component.rawValue)
    }

    /// The class of pipelines that the index names.
    func pipelineClass() throws -> String? { try index.optional("_class_name") }

    /// The same for a part that has no use here.
    func className(of part: String) throws -> String? { try index.component(part)?.className }

    /// The configuration of a part.
    /// - Throws: `CheckpointError` where there is none.
    public func configuration(of component: ModelComponent) throws -> JSONObject {
        if let folder = replaced[component] { return try folder.configuration() }
        if case .parts(let parts) = place { return try parts.configuration(of: component) }
        if case .packed(let packed) = place {
            return try named(packed.configuration(of: component), component)
        }
        if let folder = describing(component) {
            let object =
                try component.isSchedule
                ? folder.configuration("scheduler_config.json", allowsNonFinite: true)
                : folder.configuration()
            let described = try named(object, component)
            return try file?.configuration(of: component, described: described) ?? described
        }
        guard case .file(let file, _) = place, let found = try file.configurations()[component] else {
            throw PipelineError("\(path): there is no \(component.rawValue) in this model")
        }
        return found
    }

    /// The configuration of a schedule with the class of diffusers that the index names, as there.
    private func named(_ object: JSONObject, _ component: ModelComponent) throws -> JSONObject {
        var object = object
        if component.isSchedule, object["kind"] == nil, let named = try className(of: component) {
            object["_class_name"] = .string(named)
        }
        return object
    }

    /// The folder with the configuration of a part, `nil` where the family's own is taken.
    func describing(_ component: ModelComponent) -> ModelFolder? {
        switch place {
        case .folder: ModelFolder("\(path)/\(component.rawValue)")
        case .file(_, let layout): layout.map { ModelFolder("\($0.path)/\(component.rawValue)") }
        case .parts, .packed: nil
        }
    }

    /// The tensors of a part, under the names of its folder in the diffusers layout.
    /// - Throws: `CheckpointError` where there are none.
    public func weights(of component: ModelComponent) throws -> any TensorSource {
        if let folder = replaced[component] { return try folder.anyWeights(variant: variant) }
        return switch place {
        case .file(let file, _): try file.weights(of: component)
        case .parts(let parts): parts.parts[component]?.weights ?? TensorDictionary([:])
        case .packed(let packed): packed.weights(of: component.rawValue)
        case .folder:
            try ModelFolder("\(path)/\(component.rawValue)").anyWeights(variant: variant)
        }
    }

    /// Builds a part with its weights.
    ///
    /// - Parameters:
    ///   - elementType: what its parameters become; they share the file's memory where they are that already.
    ///   - device: where they go.
    ///   - matrices: how the matrices of linear layers are kept.
    ///   - prepares: whether layers pack their weights for the processor's kernels, which pays for what is called
    ///     more than once or twice.
    /// - Throws: `CheckpointError`, or `PipelineError` with a report of the tensors that do not fit.
    public func build<Network: ConfiguredNetwork>(
        _ type: Network.Type, _ component: ModelComponent, elementType: ElementType = .float32,
        on device: Device = .cpu, matrices: MatrixFormat = .full, prepares: Bool = true
    ) throws -> Network {
        let store = ParameterStore(
            .loaded(try nativeWeights(type, component)), elementType: elementType, on: device,
            matrices: matrices, prepares: prepares)
        let object = try configuration(of: component)
        return try explaining(component) {
            let configuration = try type.configuration(object)
            return try store.build { try Network(configuration, $0) }
        }
    }

    /// Runs a body whose complaints about a network become errors that name its place.
    func explaining<Result>(_ component: ModelComponent, _ body: () throws -> Result) throws -> Result {
        if let folder = replaced[component] { return try Pipelines.explaining(folder, body) }
        return try Pipelines.explaining(
            weights: "\(path), \(component.rawValue)",
            configuration: "\(path), configuration of \(component.rawValue)", body)
    }

    /// The process that the network was trained on. A class of diffusers is the one that the index names, as there.
    public func process() throws -> Process {
        try configuration(of: .scheduler).storedProcess(as: nil, predicting: prediction).process
    }

    /// The process of one of several schedules.
    func process(of schedule: ModelComponent) throws -> Process {
        try configuration(of: schedule).storedProcess(as: nil, predicting: nil).process
    }

    /// The folder whose configurations and tokenizers describe the model, `nil` where the published ones do.
    var configurations: ModelLayout? {
        switch place {
        case .folder: ModelLayout(path)
        case .file(_, let layout): layout
        case .parts, .packed: nil
        }
    }

    /// What is known of the model's use beside its configurations; an empty card where there is none.
    func card() throws -> ModelCard {
        if case .parts(let parts) = place { return parts.card }
        if case .packed(let packed) = place { return try packed.card() }
        return try configurations?.card() ?? file?.family.card.decoded() ?? ModelCard()
    }

    /// The tokenizer of a model that has it itself; `nil` where tokenizers are in folders.
    /// - Throws: one sentence about what is wrong with it.
    func tokenizer() throws -> CLIPTokenizer? {
        switch place {
        case .parts(let parts): parts.tokenizer
        case .packed(let packed): try packed.tokenizer()
        case .folder, .file: nil
        }
    }

    /// The folder of a tokenizer, `nil` where the program's own must do.
    func tokenizerFolder(_ name: String) -> String? {
        switch place {
        case .folder: "\(path)/\(name)"
        case .file(_, let layout): layout.map { "\($0.path)/\(name)" }
        case .parts, .packed: nil
        }
    }

    /// Whether it is SDXL's refiner, whose network is conditioned on an aesthetic score in place of the target size.
    public var isRefiner: Bool {
        get throws {
            // A file of its own says it by its family.
            try setting("requires_aesthetics_score") ?? (file?.family == .stableDiffusionXLRefiner)
        }
    }

    /// A value of `model_index.json`; `nil` where the index does not say.
    func setting<Value: JSONReadable>(_ key: String, as type: Value.Type = Value.self) throws -> Value? {
        try index.optional(key)
    }
}

/// Runs a body whose complaints about tensors without a place are about a file.
func locating<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as CheckpointError where error.place.isEmpty {
        throw CheckpointError(path, error.problem)
    }
}

/// Runs a body whose complaints about a network become errors that name where its weights and its configuration are.
func explaining<Result>(weights: String, configuration: String, _ body: () throws -> Result) throws
    -> Result
{
    do {
        return try body()
    } catch let error as LoadError {
        throw PipelineError("\(weights): \(error)")
    } catch let error as NetworkError {
        throw PipelineError("\(configuration): \(error)")
    }
}

/// Runs a body that builds the network of a folder.
func explaining<Result>(_ folder: ModelFolder, _ body: () throws -> Result) throws -> Result {
    try explaining(weights: folder.path, configuration: "\(folder.path)/config.json", body)
}

extension JSONObject {
    /// What an index has for a part: `["diffusers", "UNet2DModel"]`; `nil` where the part is absent or
    /// `[null, null]`.
    func component(_ name: String) throws -> (library: String, className: String)? {
        guard let entry: JSONValue = try optional(name) else { return nil }
        if case .array(let parts) = entry, parts.count == 2, parts.allSatisfy({ $0 == .null }) { return nil }
        guard let pair = [String](json: entry), pair.count == 2 else {
            throw PipelineError(
                "\(place): \(quoted(name)) must be a list of a library and a class, such as [\"diffusers\", \"UNet2DModel\"]"
            )
        }
        return (pair[0], pair[1])
    }
}

extension ModelFolder {
    /// The weights of a variant where there are any; otherwise the plain ones, or else those in half precision.
    func anyWeights(variant: String?) throws -> any TensorSource {
        let halves = has(variant: nil) ? [] : ["fp16", "bf16"]
        for other in [variant].compactMap(\.self) + halves where has(variant: other) {
            return try weights(variant: other)
        }
        return try weights()
    }
}

extension CheckpointFamily {
    /// What the published tokenizer of a text encoder fills prompts up with.
    func padding(of component: ModelComponent) -> CLIPTokenizer.Padding {
        fillsWithExclamationMarks.contains(component) ? .exclamationMark : .end
    }
}

import Checkpoints
import Diffusion
import Layers
import Networks
import Storage
import Tensors
import Tokenizers

/// Writes a model anew: a folder, a single file or a pickle as a folder in the diffusers layout, or the tensors of a
/// file as safetensors. Every tensor must have its place in its network, and the other way round. Tensors go to the
/// disk one after the other, and what is written takes its name when all of it is there.
public struct Conversion: Sendable {
    /// What floating-point numbers become; as they are where `nil`.
    public var elementType: ElementType?
    /// The set of weights in a folder, such as `fp16`; the plain one, or the only one, where `nil`.
    public var variant: String?
    /// For one file: a folder whose configurations and tokenizers describe it, where they are not the published ones.
    public var configurations: String?
    /// For one file: whether the moving average of its network is taken.
    public var usesAverage = false
    /// For one file: whether tensors outside the model's parts are refused, which are passed over otherwise.
    public var isStrict = false
    /// What the network predicts, whatever the model says itself.
    public var prediction: Prediction?
    /// For a pickle of several dictionaries: which one is meant.
    public var entry: String?

    /// A conversion that changes nothing but the layout.
    public init() {}

    /// Converts.
    /// - Returns: what became of every tensor, in lines.
    /// - Throws: an error of the room that something belongs to, one sentence; nothing is left behind then.
    public func run(_ input: String, to output: String) throws -> [String] {
        guard Files.exists(input) else {
            throw PipelineError(
                "there is no '\(input)': give a run folder, a folder in the diffusers layout, or a checkpoint"
            )
        }
        guard !Files.exists(output) else {
            throw PipelineError("'\(output)' is there already: give another name")
        }
        let wantsFile = output.lowercased().hasSuffix(".safetensors")
        try wantsFile ? Files.checkPlace(ofFile: output) : Files.checkPlace(ofFolder: output)
        if let packed = try PackedModel(path: input) {
            try checkDescribesItself("'\(input)' is a model in one file")
            guard variant == nil, prediction == nil, !isStrict else {
                throw PipelineError(
                    "'\(input)' is a model in one file, which is converted as it is: leave out \(.variant), \(.prediction) and \(.isStrict)"
                )
            }
            return try write(ModelContents(packed), to: output, asFile: wantsFile)
        }
        guard Files.isFolder(input) else {
            let (source, left) = try tensors(of: input)
            return wantsFile
                ? try write(source, to: output, left) : try folder(from: source, input, to: output, left)
        }
        try checkDescribesItself("'\(input)' is a folder")
        if Files.exists(input + "/config.json"), !Files.exists(input + "/model_index.json") {
            guard !wantsFile else {
                throw PipelineError(
                    "'\(input)' is one network's folder, which becomes a folder: give OUT without .safetensors"
                )
            }
            let object = try ModelFolder(input).configuration()
            guard prediction == nil else {
                throw PipelineError(
                    "'\(input)' is one network, whose prediction the model's scheduler says: leave out \(.prediction)"
                )
            }
            if let variant { try ModelLayout.check(variant, of: [ModelFolder(input)], in: input) }
            return try writing(output) {
                [try network(try KnownNetworks.network(of: object), object, input, to: $0)]
            }
        }
        let layout = try ModelLayout(model: input)
        guard !wantsFile else {
            guard prediction == nil else {
                throw PipelineError(
                    "\(.prediction) changes a schedule, and one file holds the folder's own: convert to a folder first"
                )
            }
            if let variant { _ = try layout.parts(without: variant) }
            return try write(ModelContents(layout, variant: variant), to: output, asFile: true)
        }
        return try writing(output) { try copy(layout, to: $0) }
    }

    private func checkDescribesItself(_ subject: String) throws {
        guard configurations == nil, !usesAverage, entry == nil else {
            throw PipelineError(
                "\(subject) and describes itself: leave out \(.configurations), \(.usesAverage) and \(.entry)"
            )
        }
    }

    private func write(_ contents: ModelContents, to output: String, asFile isFile: Bool) throws -> [String] {
        guard !isFile else { return try contents.pack(into: output, as: elementType) }
        return try writing(output) { try contents.layOut(in: $0, as: elementType) }
    }

    private func writing(_ output: String, _ body: (_ aside: String) throws -> [String]) throws -> [String] {
        var lines: [String] = []
        try ModelLayout.replacing(output) { lines = try body($0) }
        return lines
    }

    // MARK: Files

    /// The tensors of a file, recognized by its bytes and never by its name, and what is left out of them.
    private func tensors(of path: String) throws -> (source: any TensorSource, leftOut: [String]) {
        guard try CheckpointFormat(of: path).isPickled else {
            guard entry == nil else {
                throw PipelineError("\(path) is no pickle and has no entries: leave out \(.entry)")
            }
            return (ScaledSource.over(try plainTensors(of: path)), [])
        }
        let pickle = try PickledCheckpoint(path: path, entry: entry)
        return (pickle, pickle.skipped.isEmpty ? [] : ["left out, no weights: \(listed(pickle.skipped))"])
    }

    private func write(_ source: any TensorSource, to output: String, _ lines: [String]) throws -> [String] {
        guard configurations == nil, !usesAverage, !isStrict, prediction == nil, variant == nil else {
            throw PipelineError(
                "\(.configurations), \(.usesAverage), \(.isStrict), \(.prediction) and \(.variant) go with a folder as OUT: leave them out"
            )
        }
        let tensors = try source.names.map { try DeferredTensor($0, in: source, as: elementType) }
        try SafetensorsWriter(tensors, metadata: ["format": "pt"]).write(to: output)
        return lines + ["\(tensors.count) tensors under their own names"]
    }

    private func folder(
        from source: any TensorSource, _ path: String, to output: String, _ lines: [String]
    ) throws -> [String] {
        let described = try configurations.map { try ModelLayout(model: $0) }
        guard variant == nil else {
            throw PipelineError("\(path) is one file, which has no variants: leave out \(.variant)")
        }
        let file = try locating(path) {
            var file = try SingleFileCheckpoint(
                source, usesAverage: usesAverage, heads: described?.heads())
            file.prediction = prediction?.rawValue
            try file.check(isStrict: isStrict)
            return file
        }
        guard described != nil || !file.needsPrediction else {
            throw ModelSource.predictionIsOpen(path, file)
        }
        return try writing(output) { aside in
            try lines + write(file, path, described, to: aside)
                + remarks(on: file, isDescribed: described != nil)
        }
    }

    private func remarks(on file: SingleFileCheckpoint, isDescribed: Bool) -> [String] {
        let reasons = Dictionary(grouping: file.setAside, by: \.reason).sorted { $0.key < $1.key }
        return reasons.map { reason, rows in "not needed: \(listed(rows.map(\.name))): \(reason)" }
            + [file.passedOver].compactMap(\.self)
            + file.caveats(isDescribed: isDescribed).map { "note: \($0)" }
    }

    private func write(
        _ file: SingleFileCheckpoint, _ path: String, _ described: ModelLayout?, to aside: String
    ) throws -> [String] {
        var configurations = try file.configurations()
        if let described {
            for component in configurations.keys where !component.isSchedule {
                configurations[component] = try file.configuration(
                    of: component,
                    described: ModelFolder("\(described.path)/\(component.rawValue)").configuration())
            }
        }
        guard configurations[.textEncoder3] == nil || described != nil else {
            throw PipelineError(
                "\(path) holds T5, whose tokenizer does not come with this program: give \(.configurations) FOLDER with its tokenizer_3"
            )
        }
        var lines: [String] = []
        for component in ModelComponent.allCases where file.components.contains(component) {
            let object = configurations[component]!
            lines.append(
                try network(
                    try KnownNetworks.network(of: object), object, path, to: "\(aside)/\(component.rawValue)",
                    from: file.weights(of: component)))
            if described == nil, let tokenizer = component.tokenizer {
                try CLIPTokenizer.writePublished(
                    padding: file.family.padding(of: component), to: "\(aside)/\(tokenizer)")
            }
        }
        var index = try index(of: file, configurations, described, to: aside)
        if described == nil {
            if file.family.card != [:] {
                try ModelFolder(aside).write(file.family.card, to: ModelCard.fileName)
            }
            lines += try copyMerges(of: configurations, from: Files.parent(of: path), to: aside, &index)
        }
        try ModelFolder(aside).write(index, to: "model_index.json")
        return lines
    }

    /// Copies the merges of a network that encodes texts itself, where they are beside its file.
    /// - Returns: what to do where they are not.
    private func copyMerges(
        of configurations: [ModelComponent: JSONObject], from folder: String, to aside: String,
        _ index: inout JSONObject
    ) throws -> [String] {
        guard let object = configurations[.unet],
            try NetworkConfiguration(object).traits.tokens != nil
        else { return [] }
        index[ModelContents.tokenizer] = ["transformers", "GPT2Tokenizer"]
        let names = GPT2Tokenizer.mergesNames
        guard let name = names.first(where: { Files.exists("\(folder)/\($0)") }) else {
            try Files.createFolder("\(aside)/\(ModelContents.tokenizer)")
            return [
                "note: its texts need GPT-2's merges, which do not come with this program: put the file vocab.bpe into the folder's \(ModelContents.tokenizer)/"
            ]
        }
        // Under the name that other programs know.
        try Files.createFolder("\(aside)/\(ModelContents.tokenizer)")
        try Files.write(
            Files.read("\(folder)/\(name)", atMost: 64 << 20),
            to: "\(aside)/\(ModelContents.tokenizer)/\(names[0])")
        return []
    }

    /// The index of a model that was one file; schedules and tokenizers that another folder describes are copied.
    private func index(
        of file: SingleFileCheckpoint, _ configurations: [ModelComponent: JSONObject],
        _ described: ModelLayout?, to aside: String
    ) throws -> JSONObject {
        guard let described else {
            for (component, object) in configurations where component.isSchedule {
                if component == .scheduler { try checkPrediction(object) }
                try ModelFolder("\(aside)/\(component.rawValue)").write(object, to: "scheduler_config.json")
            }
            return try file.family.index(configurations)
        }
        var index = try described.index()
        for name in index.keys where try index.component(name, ifPair: true) != nil {
            if let component = ModelComponent(rawValue: name), !component.isSchedule {
                if !file.components.contains(component) { index[name] = [.null, .null] }
            } else if try !copyFiles(name, of: described, to: aside) {
                index[name] = [.null, .null]
            }
        }
        try rewriteScheduler(of: described, in: aside, &index) {
            try checkPrediction($0)
            return try file.configuration(of: .scheduler, described: $0)
        }
        return index
    }

    /// Changes the schedule that was copied, where there is one and anything changes.
    private func rewriteScheduler(
        of layout: ModelLayout, in aside: String, _ index: inout JSONObject,
        _ change: (JSONObject) throws -> JSONObject
    ) throws {
        let (part, name) = (ModelComponent.scheduler.rawValue, "scheduler_config.json")
        guard let named = try index.component(part, ifPair: true) else { return }
        var object = try ModelFolder("\(layout.path)/\(part)").configuration(name, allowsNonFinite: true)
        if object["kind"] == nil { object["_class_name"] = .string(named.className) }
        let changed = try change(object)
        guard changed != object else { return }
        _ = try changed.storedProcess(as: nil, predicting: nil)
        try ModelFolder("\(aside)/\(part)").write(changed, to: name)
        index[part] = [.string(named.library), changed["_class_name"] ?? .string(named.className)]
    }

    // MARK: Folders

    /// Copies a model component by component.
    private func copy(_ layout: ModelLayout, to aside: String) throws -> [String] {
        var index = try layout.completeIndex()
        let plain = try variant.map { try layout.parts(without: $0) } ?? []
        var lines = plain.isEmpty ? [] : ["note: \(ModelLayout.note(on: plain, without: variant))"]
        for name in index.keys {
            guard let named = try index.component(name, ifPair: true) else { continue }
            let folder = "\(layout.path)/\(name)"
            if let known = KnownNetworks.network(named: named.className) {
                lines.append(
                    try network(known, ModelFolder(folder).configuration(), folder, to: "\(aside)/\(name)"))
            } else if try !copyFiles(name, of: layout, to: aside) {
                index[name] = [.null, .null]
                lines.append("\(name): left out, \(quoted(named.className)) is not known here")
            }
        }
        if let prediction {
            try rewriteScheduler(of: layout, in: aside, &index) { object in
                var object = object
                guard object["kind"] == nil else {
                    object["prediction"] = .string(prediction.word)
                    return object
                }
                try checkPrediction(object)
                object["prediction_type"] = .string(prediction.rawValue)
                return object
            }
        }
        if Files.exists("\(layout.path)/\(ModelCard.fileName)") {
            try copyFile(ModelCard.fileName, of: layout.path, to: aside)
        }
        try ModelFolder(aside).write(index, to: "model_index.json")
        return lines
    }

    /// Throws where diffusers' class of a schedule has one prediction only, and that is not the one that was said.
    private func checkPrediction(_ scheduler: JSONObject) throws {
        let name: String = try scheduler.required("_class_name")
        guard let prediction, name.hasPrefix("FlowMatch"), prediction != .flow else { return }
        throw PipelineError(
            "\(scheduler.place): a \(name) is for networks that predict flow, and its file can say nothing else: leave out \(.prediction)"
        )
    }

    /// Copies a folder without weights: a schedule's or a tokenizer's. Says whether there was such a folder.
    private func copyFiles(_ name: String, of layout: ModelLayout, to aside: String) throws -> Bool {
        let folder = "\(layout.path)/\(name)"
        let names = try Files.names(in: folder)
        let holdsWeights = names.contains { file in
            [".safetensors", ".bin", ".pt", ".ckpt", ".msgpack", ".h5"].contains { file.hasSuffix($0) }
        }
        guard !names.isEmpty, !holdsWeights else { return false }
        for file in names where !Files.isFolder("\(folder)/\(file)") {
            try copyFile(file, of: folder, to: "\(aside)/\(name)")
        }
        return true
    }

    private func copyFile(_ name: String, of folder: String, to other: String) throws {
        try Files.createFolder(other)
        // Far above real files: SentencePiece's of T5 has less than 1 MB, its tokenizer.json 2.4 MB.
        let bytes = try Files.read("\(folder)/\(name)", atMost: 64 << 20)
        if [".json", ".txt", ".model"].contains(where: name.hasSuffix), let mistaken = mistakenFile(bytes) {
            throw CheckpointError("\(folder)/\(name)", mistaken)
        }
        try Files.write(bytes, to: "\(other)/\(name)")
    }

    /// Writes one network, strictly.
    private func network(
        _ type: any ConfiguredNetwork.Type, _ object: JSONObject, _ place: String, to folder: String,
        from source: (any TensorSource)? = nil
    ) throws -> String {
        let tensors = try type.tensors(
            object, type.native(source ?? weights(of: place)), place: place, as: elementType)
        try type.write(object, tensors, to: ModelFolder(folder))
        return "\(type.className): all \(tensors.count) tensors used"
    }

    /// The weights of a network's folder; a pickle where there is nothing else, and never because of what is wrong with
    /// the rest.
    private func weights(of folder: String) throws -> any TensorSource {
        let place = ModelFolder(folder)
        if let variant, !place.has(variant: variant), let pickle = place.pickle(variant: variant) {
            return try PickledCheckpoint(path: pickle)
        }
        let hasOthers = [variant, nil, "fp16", "bf16"].contains(where: place.has)
        guard !hasOthers, let pickle = place.pickle(variant: nil) else {
            return try place.anyWeights(variant: variant)
        }
        return try PickledCheckpoint(path: pickle)
    }
}

extension ConfiguredNetwork {
    /// The tensors of a network, strictly: each has its place in it, and the other way round.
    /// - Parameters:
    ///   - object: its `config.json`.
    ///   - source: its weights under its own names.
    ///   - place: where they are, for messages.
    ///   - elementType: what floating-point numbers become; as they are where `nil`.
    /// - Throws: `PipelineError` where weights and configuration differ.
    static func tensors(
        _ object: JSONObject, _ source: any TensorSource, place: String, as elementType: ElementType?
    ) throws -> [DeferredTensor] {
        let store: ParameterStore
        do {
            store = try shapes(object)
        } catch let error as NetworkError {
            throw PipelineError("\(object.place.isEmpty ? place : object.place): \(error)")
        }
        let report = store.report(on: source)
        guard report.isComplete else {
            let isOwn = !report.wrongShapes.isEmpty && object.place.isEmpty
            let advice: Sentence =
                isOwn ? "; its sizes are not the published ones: give \(.configurations) FOLDER" : ""
            throw PipelineError(
                "\(place): the checkpoint does not fit \(className): \(report.problems)\(advice)")
        }
        return try store.names.map { try DeferredTensor($0, in: source, as: elementType) }
    }
}

extension JSONObject {
    /// What an index has for a component whose value is a pair; `nil` for settings and for what is absent.
    /// - Throws: `PipelineError` where the name could lead out of the model's folder.
    func component(_ name: String, ifPair: Bool) throws -> (library: String, className: String)? {
        guard case .array = self[name] else { return nil }
        guard ModelLayout.isFolderName(name) else {
            throw PipelineError("\(place): \(quoted(name)) cannot be the folder of a component")
        }
        return try component(name)
    }
}

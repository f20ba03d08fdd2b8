import Checkpoints
import Diffusers
import Diffusion
import Layers
import Networks
import Storage

extension Inspection {
    /// A model's parts.
    public struct Model: Encodable, Sendable {
        /// A part.
        public struct Component: Encodable, Sendable {
            /// The name of its class.
            public let className: String
            /// The number of its parameters; absent where it has none, or its class is not known here.
            public var parameters: Int?
            /// The parameters of each of its parts, in their order.
            public var parts: [Part]?
            /// Of a file: whether its tensors are those of the published model, in names and shapes.
            public var isPublished: Bool?

            enum CodingKeys: String, CodingKey {
                case className = "class"
                case parameters, parts
                case isPublished = "published"
            }
        }

        /// The parameters under one name.
        public struct Part: Encodable, Sendable, Equatable {
            /// The name that its parameters begin with.
            public let name: String
            /// Their number.
            public let parameters: Int
        }

        /// A tensor of a file that no component needs.
        public struct SetAside: Encodable, Sendable {
            /// Its name.
            public let name: String
            /// Why it is not needed.
            public let reason: String
        }

        /// What a file holds beside its components.
        public struct File: Encodable, Sendable {
            /// Which published model has this layout.
            public let layout: CheckpointFamily
            /// What no component needs.
            public let setAside: [SetAside]
            /// What belongs to nothing known.
            public let strays: [String]
            /// What cannot be seen from the tensors.
            public let caveats: [String]
            /// The number of values that are infinite or not a number; absent where they were not looked at.
            public let nonFinite: Int?

            enum CodingKeys: String, CodingKey {
                case layout, strays, caveats
                case setAside = "set_aside"
                case nonFinite = "non_finite"
            }
        }

        /// The family that the model belongs to.
        public let family: String
        /// The number of parameters of all parts.
        public let parameters: Int
        /// Their size in millions of bytes as float32.
        public let float32Megabytes: Double
        /// The parts by name.
        public let components: [String: Component]
        /// What a file of an original layout holds beside them.
        public let file: File?
        /// The number of values of a file that describes itself that are infinite or not a number; absent where they were
        /// not looked at.
        public let nonFinite: Int?

        enum CodingKeys: String, CodingKey {
            case family, parameters, components, file
            case float32Megabytes = "float32_megabytes"
            case nonFinite = "non_finite"
        }

        init(
            family: String, _ components: [String: Component], file: File? = nil, nonFinite: Int? = nil
        ) {
            self.family = family
            parameters = components.values.reduce(0) { $0 + ($1.parameters ?? 0) }
            float32Megabytes = Double(4 * parameters) / 1e6
            (self.components, self.file, self.nonFinite) = (components, file, nonFinite)
        }
    }
}

extension Inspection.Model {
    /// A run folder, a folder in the diffusers layout, or one network's folder, from its configurations alone.
    init(folder path: String, _ parts: Inspection.Parts) throws {
        if let folder = ModelLayout.networkFolder(of: path) {
            let object = try folder.configuration()
            let network = try KnownNetworks.network(of: object)
            self.init(
                family: (try? NetworkConfiguration(object).family) ?? network.className,
                ["network": try .init(network, object, parts)])
            return
        }
        let layout = try ModelLayout(model: path)
        let index = try layout.index()
        var components: [String: Component] = [:]
        for name in index.keys {
            guard case .array = index[name], let named = try index.component(name) else { continue }
            guard ModelLayout.isFolderName(name) else {
                throw PipelineError("\(index.place): \(quoted(name)) cannot be the folder of a component")
            }
            components[name] = try Component(named.className, in: "\(layout.path)/\(name)", parts)
        }
        self.init(family: try Self.family(index) { try layout.networkConfiguration() }, components)
    }

    /// A model in one file that describes itself, from its metadata alone.
    init(_ packed: PackedModel, _ parts: Inspection.Parts, nonFinite: Int?) throws {
        var components: [String: Component] = [:]
        let index = try packed.index()
        for name in index.keys {
            guard let named = try index.component(name, ifPair: true) else { continue }
            if let network = KnownNetworks.network(named: named.className),
                let object = try packed.object("\(name)/config.json")
            {
                components[name] = try Component(network, object, parts)
            } else {
                components[name] = Component(className: named.className)
            }
        }
        let family = try Self.family(index) {
            try NetworkConfiguration(onPixels: index) { try packed.configuration(of: .unet) }
        }
        self.init(family: family, components, nonFinite: nonFinite)
    }

    /// - Parameter network: reads the configuration of the network of a model on pixels, which has the family's name.
    private static func family(_ index: JSONObject, _ network: () throws -> NetworkConfiguration) throws
        -> String
    {
        let pipeline = try index.required("_class_name", as: String.self)
        if PixelAssembly.classNames.contains(pipeline) { return try network().family }
        guard let family = Assemblies.named(pipeline)?.family else {
            throw PipelineError(
                "\(index.place): the pipeline \(quoted(pipeline)) is not known here: there are \(Assemblies.classNames.joined(separator: ", "))"
            )
        }
        return family
    }
}

extension Inspection.Model.Component {
    /// A part of a model in its folder; the class is the one that the index names, as in diffusers.
    fileprivate init(_ className: String, in folder: String, _ parts: Inspection.Parts) throws {
        if let network = KnownNetworks.network(named: className) {
            try self.init(network, ModelFolder(folder).configuration(), parts)
            return
        }
        let isScheduler = SchedulerClass(rawValue: className) != nil
        if isScheduler || ProcessKind.named(className) != nil {
            let name = "scheduler_config.json"
            if Files.exists("\(folder)/\(name)") {
                var object = try ModelFolder(folder).configuration(name, allowsNonFinite: true)
                if isScheduler { object["_class_name"] = .string(className) }
                _ = try object.decoded(StoredProcess.self)
            }
        } else if !Self.uncounted.contains(where: className.hasSuffix) {
            throw PipelineError(
                "\(folder): the class \(quoted(className)) is not known here: make sure that the index names the right one"
            )
        }
        self.init(className: className)
    }

    /// What has no parameters, or none that making pictures needs.
    private static let uncounted = [
        "Tokenizer", "TokenizerFast", "FeatureExtractor", "ImageProcessor", "ImageProcessorFast",
        "StableDiffusionSafetyChecker", "StableDiffusionXLWatermarker", "IFSafetyChecker", "IFWatermarker",
    ]

    /// A network from its configuration.
    init(
        _ network: any ConfiguredNetwork.Type, _ object: JSONObject, _ parts: Inspection.Parts
    ) throws {
        do {
            let store = try network.shapes(object)
            let names = parts.names == .original ? OriginalNames(natives: store.names) : nil
            self.init(
                className: network.className, parameters: store.parameterCount,
                parts: store.parts(depth: parts.depth) { names?[$0] }
                    .map { .init(name: $0.name, parameters: $0.count) })
        } catch let error as NetworkError {
            throw PipelineError("\(object.place): \(error)")
        }
    }
}

extension Inspection.Model {
    /// A single file of a known family, nil where it is none.
    init?(_ file: any TensorSource, _ path: String, _ parts: Inspection.Parts, nonFinite: Int?) throws {
        guard case .family(let family) = CheckpointRecognition(file) else { return nil }
        let whole: SingleFileCheckpoint
        do {
            whole = try SingleFileCheckpoint(file, family: family)
        } catch let error as CheckpointError where error.place.isEmpty {
            throw CheckpointError(path, error.problem)
        }
        var components: [String: Component] = [:]
        for (component, object) in try whole.configurations() {
            if component.isSchedule {
                components[component.rawValue] = Component(className: try KnownNetworks.name(in: object))
                continue
            }
            let network = try KnownNetworks.network(of: object)
            var found = try Component(network, object, parts)
            let store = try network.shapes(object)
            let weights = try network.native(whole.weights(of: component))
            found.isPublished = store.report(on: weights).isComplete
            if found.isPublished == false {
                // Sizes of its own: what the file holds is all that is known of it.
                found.parts = nil
                found.parameters = weights.names.reduce(0) {
                    store.buffers.contains($1) ? $0 : $0 + (weights.shape(of: $1)?.elementCount ?? 0)
                }
            }
            components[component.rawValue] = found
        }
        self.init(
            family: Self.family(of: family), components,
            file: File(
                layout: family, setAside: whole.setAside.map { SetAside(name: $0.name, reason: $0.reason) },
                strays: whole.strangers + whole.strays, caveats: whole.caveats(), nonFinite: nonFinite))
    }
}

extension Inspection.Model {
    /// An IP-Adapter, also one of a kind that makes no pictures here; `nil` where a file is none, or of no known kind.
    init?(imageAdapter file: SafetensorsFile, _ parts: Inspection.Parts, nonFinite: Int?) {
        guard IPAdapter.recognizes(file), let className = IPAdapter.className(of: file) else { return nil }
        let classes = ["image_proj": className, "ip_adapter": IPAdapter.attentionClassName]
        let components = classes.map { part, className in
            let names = file.names.filter { $0.hasPrefix(part + ".") }
            var counts: [(name: String, count: Int)] = []
            for name in names {
                let words = name.split(separator: ".").dropFirst().prefix(parts.depth).joined(separator: ".")
                let count = file.shape(of: name)?.elementCount ?? 0
                if let index = counts.firstIndex(where: { $0.name == words }) {
                    counts[index].count += count
                } else {
                    counts.append((words, count))
                }
            }
            return (
                part,
                Component(
                    className: className, parameters: counts.reduce(0) { $0 + $1.count },
                    parts: counts.map { Part(name: $0.name, parameters: $0.count) })
            )
        }
        self.init(
            family: "ip-adapter", Dictionary(uniqueKeysWithValues: components), nonFinite: nonFinite)
    }
}

extension Inspection.Model {
    /// The word for the family of the pipeline that a single file belongs to.
    private static func family(of file: CheckpointFamily) -> String {
        Assemblies.named(file.pipeline)?.family ?? file.rawValue
    }
}

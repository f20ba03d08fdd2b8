import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Tensors

/// What is in a model, a file of tensors or a picture.
public enum Inspection: Encodable, Sendable {
    /// A model or one of its networks.
    case model(Model)
    /// An exactly solvable model.
    case analytic(AnalyticModel.Facts)
    /// A safetensors file.
    case tensors(Tensors)
    /// A picture with what was written into it.
    case picture(PictureFacts)

    /// A model's parts.
    public struct Model: Encodable, Sendable {
        /// A part.
        public struct Component: Encodable, Sendable {
            /// The name of its class.
            public let className: String
            /// The number of its parameters; absent where it has none.
            public let parameters: Int?
            /// The parameters of each of its parts, in their order.
            public let parts: [Part]?

            enum CodingKeys: String, CodingKey {
                case className = "class"
                case parameters, parts
            }
        }

        /// The parameters under one name.
        public struct Part: Encodable, Sendable {
            /// The name that its parameters begin with.
            public let name: String
            /// Their number.
            public let parameters: Int
        }

        /// The family that the model belongs to.
        public let family: String
        /// The number of parameters of all parts.
        public let parameters: Int
        /// The parts by name.
        public let components: [String: Component]
    }

    /// What a safetensors file holds.
    public struct Tensors: Encodable, Sendable {
        /// One tensor.
        public struct Entry: Encodable, Sendable {
            /// Its name.
            public let name: String
            /// Its type, as the file calls it.
            public let dtype: String
            /// Its extents.
            public let shape: [Int]
        }

        /// The number of values in all tensors.
        public let parameters: Int
        /// The tensors.
        public let tensors: [Entry]
        /// The free texts.
        public let metadata: [String: String]
        /// The number of values that are infinite or not a number.
        public let nonFinite: Int

        enum CodingKeys: String, CodingKey {
            case parameters, tensors, metadata
            case nonFinite = "non_finite"
        }
    }

    /// What a picture's file says.
    public struct PictureFacts: Encodable, Sendable {
        /// Pixels.
        public let width: Int
        /// Pixels.
        public let height: Int
        /// `png`, `jpeg`, `webp`
        public let format: String
        /// The texts in it, by keyword.
        public let texts: [String: String]
    }

    /// Looks at a path.
    /// - Throws: an error of the room that the path belongs to, one sentence.
    public init(_ path: String) throws {
        if let file = AnalyticModel.path(of: path) {
            self = .analytic(try AnalyticModel(contentsOf: file).facts())
            return
        }
        guard FileManager.default.fileExists(atPath: path) else {
            throw PipelineError("there is no '\(path)': give a model, a .safetensors file or a picture")
        }
        if FileManager.default.isFolder(path) {
            self = .model(try Self.model(path))
        } else if path.lowercased().hasSuffix(".safetensors") {
            self = .tensors(try Self.tensors(path))
        } else {
            self = .picture(try Self.picture(path))
        }
    }

    /// The facts alone, without the word for what was looked at.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .model(let value): try value.encode(to: encoder)
        case .analytic(let value): try value.encode(to: encoder)
        case .tensors(let value): try value.encode(to: encoder)
        case .picture(let value): try value.encode(to: encoder)
        }
    }

    // MARK: Looking

    private static func model(_ path: String) throws -> Model {
        // One network's folder has a config.json; a model's has an index of its parts.
        if FileManager.default.fileExists(atPath: path + "/config.json") {
            let configuration = try NetworkConfiguration(ModelFolder(path).configuration())
            return try model(configuration, named: "network", scheduler: nil)
        }
        let layout = try ModelLayout(model: path)
        return try model(
            layout.networkConfiguration(), named: "unet", scheduler: layout.scheduler().kind.rawValue)
    }

    private static func model(
        _ configuration: NetworkConfiguration, named name: String, scheduler: String?
    ) throws -> Model {
        let store = ParameterStore(.shapesOnly)
        _ = try store.build(configuration.network)
        let parts = store.parts(depth: 1).map { Model.Part(name: $0.name, parameters: $0.count) }
        var components = [
            name: Model.Component(
                className: configuration.className, parameters: store.parameterCount, parts: parts)
        ]
        components["scheduler"] = scheduler.map {
            Model.Component(className: $0, parameters: nil, parts: nil)
        }
        return Model(
            family: configuration.family, parameters: store.parameterCount, components: components)
    }

    private static func tensors(_ path: String) throws -> Tensors {
        let file = try SafetensorsFile(path: path)
        let entries = file.header.entries.map { name, entry in
            Tensors.Entry(name: name, dtype: entry.type.rawValue, shape: entry.dimensions)
        }
        return Tensors(
            parameters: entries.reduce(0) { $0 + $1.shape.reduce(1, *) }, tensors: entries,
            metadata: Dictionary(file.metadata.map { ($0, $1) }, uniquingKeysWith: { first, _ in first }),
            nonFinite: file.nonFiniteCount())
    }

    private static func picture(_ path: String) throws -> PictureFacts {
        let url = URL(fileURLWithPath: path)
        let header = try Picture.header(of: url)
        let texts =
            header.format == .png ? try Picture.textChunks(of: url) : []
        return PictureFacts(
            width: header.width, height: header.height, format: header.format.rawValue,
            texts: Dictionary(texts.map { ($0.keyword, $0.text) }, uniquingKeysWith: { first, _ in first }))
    }

    // MARK: Saying

    /// The facts as lines for a person.
    public var text: String {
        switch self {
        case .model(let model): Self.text(model)
        case .analytic(let facts): facts.text
        case .tensors(let file): Self.text(file)
        case .picture(let picture):
            (["\(picture.format), \(picture.width)×\(picture.height) pixels"]
                + picture.texts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" })
                .joined(separator: "\n")
        }
    }

    private static func text(_ model: Model) -> String {
        var lines = ["\(model.family), \(grouped(model.parameters)) parameters"]
        for (name, component) in model.components.sorted(by: { $0.key < $1.key }) {
            let count = component.parameters.map { "  \(grouped($0))" } ?? ""
            lines.append("\(name)  \(component.className)\(count)")
            let width = component.parts?.map(\.name.count).max() ?? 0
            for part in component.parts ?? [] {
                let gap = String(repeating: " ", count: width - part.name.count + 2)
                lines.append("  \(part.name)\(gap)\(grouped(part.parameters))")
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func text(_ file: Tensors) -> String {
        var lines = file.metadata.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        let width = file.tensors.map(\.name.count).max() ?? 0
        lines += file.tensors.map { entry in
            let gap = String(repeating: " ", count: width - entry.name.count + 2)
            return "\(entry.name)\(gap)\(entry.dtype)  \(Shape(entry.shape))"
        }
        lines.append("\(file.tensors.count) tensors, \(grouped(file.parameters)) values")
        if file.nonFinite > 0 { lines.append("warning: \(grouped(file.nonFinite)) values are not finite") }
        return lines.joined(separator: "\n")
    }

    /// 2,996,315
    private static func grouped(_ number: Int) -> String {
        let digits = String(number)
        return String(
            digits.reversed().enumerated().flatMap { $0 > 0 && $0 % 3 == 0 ? [",", $1] : [$1] }.reversed())
    }
}

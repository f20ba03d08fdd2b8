import Checkpoints
import Layers
import Storage
import Tensors

/// A network that makes tokens of what CLIP makes of pictures, and keys and values of these for the layers of a U-Net that attend to
/// a text: the picture becomes a prompt beside it. Under the names of the published files, whose shapes are its configuration.
/// Parameters `image_proj.*`, `ip_adapter.N.to_k_ip.weight`, `ip_adapter.N.to_v_ip.weight` with N = 1, 3, 5, …
/// Source: Ye et al. 2023 (arXiv:2308.06721), section 3.2.
public struct IPAdapter: Sendable {
    /// A layer of a U-Net that attends to a text.
    public struct Layer: Sendable {
        let key: Linear
        let value: Linear
        /// Features of its keys, and of the tokens that it attends to.
        public let shape: Shape
    }

    /// How tokens are made.
    public let projection: any ImageProjection
    /// The layers in the order of their numbers.
    public let layers: [Layer]

    /// Every kind of projection that is read, the first that recognizes a file is its own.
    static let projections: [any ImageProjection.Type] = [
        LinearImageProjection.self, StateProjection.self, ImageResampler.self,
    ]

    /// What of a file's names belongs to adapters that are not read here: a mark, diffusers' class, and why.
    private static let others: [(mark: String, className: String, reason: String)] = [
        (
            "image_proj.perceiver_resampler.proj_in.weight", "IPAdapterFaceIDPlusImageProjection",
            "FaceID Plus, which reads embeddings of faces that insightface makes"
        ),
        (
            "image_proj.proj.0.weight", "IPAdapterFaceIDImageProjection",
            "FaceID, which reads embeddings of faces that insightface makes"
        ),
    ]

    /// What diffusers calls the attention to the tokens.
    public static let attentionClassName = "IPAdapterAttnProcessor"

    /// Whether a file is an IP-Adapter of any kind.
    public static func recognizes(_ file: any TensorSource) -> Bool {
        let names = file.names
        return ["image_proj.", "ip_adapter."].allSatisfy { start in names.contains { $0.hasPrefix(start) } }
    }

    /// What diffusers calls the projection of a file; `nil` where it is of no known kind.
    public static func className(of file: any TensorSource) -> String? {
        projections.first { $0.recognizes(file) }?.className
            ?? others.first { file.shape(of: $0.mark) != nil }?.className
    }

    /// The network of a file, its parameters from a scope.
    /// - Throws: `CheckpointError` without a place, where the file is none, or of a kind that is not read.
    public init(_ file: any TensorSource, _ weights: Weights) throws {
        guard Self.recognizes(file) else {
            throw CheckpointError(
                "",
                "it is no IP-Adapter, whose tensors are image_proj.* and ip_adapter.N.to_k_ip.weight: it holds \(listed(file.names))"
            )
        }
        guard let kind = Self.projections.first(where: { $0.recognizes(file) }) else {
            let reason = Self.others.first { file.shape(of: $0.mark) != nil }?.reason
            throw CheckpointError(
                "",
                "it is an IP-Adapter of the kind \(reason ?? "that no image_proj.* here names"): give one that reads what CLIP makes of a picture (plain, plus, full-face)"
            )
        }
        let shapes = TensorShapes(file)
        projection = try kind.init(shapes, weights["image_proj"])
        let scope = weights["ip_adapter"]
        layers = try Self.numbers(of: file).map { number in
            let shape = try shapes.matrix("ip_adapter.\(number).to_k_ip.weight")
            func linear(_ name: String) -> Linear {
                Linear(inputs: shape[1], outputs: shape[0], bias: false, scope[number][name])
            }
            return Layer(key: linear("to_k_ip"), value: linear("to_v_ip"), shape: shape)
        }
        let width = projection.tokenWidth
        if let other = layers.first(where: { $0.shape[1] != width }) {
            throw CheckpointError(
                "",
                "its tokens have \(width) features, and one of its layers reads \(other.shape[1]): it is damaged"
            )
        }
    }

    /// The numbers of the layers, which are every other one of a U-Net's: those between attend among pixels.
    private static func numbers(of file: any TensorSource) throws -> [Int] {
        let (start, end) = ("ip_adapter.", ".to_k_ip.weight")
        let numbers = file.names.filter { $0.hasPrefix(start) && $0.hasSuffix(end) }
            .compactMap { Int($0.dropFirst(start.count).dropLast(end.count)) }.sorted()
        guard numbers == (0..<numbers.count).map({ 2 * $0 + 1 }) else {
            throw CheckpointError(
                "",
                "its layers have the numbers \(listed(numbers.map(String.init))), and 1, 3, 5, … are needed"
            )
        }
        return numbers
    }

    /// What layers of a U-Net attend to beside the text.
    /// - Parameters:
    ///   - image: what CLIP makes of pictures, of the kind that the projection reads: `[pictures, …, features]`. All of them are
    ///     one prompt.
    ///   - names: the names of the layers, in the order of their numbers.
    ///   - scale: what the attention to it is multiplied with.
    public func prompt(of image: Tensor, for names: [String], scale: Double) -> ImagePrompts.Prompt {
        precondition(names.count == layers.count, "\(names.count) names for \(layers.count) layers")
        let tokens = projection(image).reshaped([1, -1, projection.tokenWidth])
        let pairs = zip(names, layers).map { name, layer in
            // Attention is linear in values, so that the scale costs nothing in a step.
            (name, ContextProjection(key: layer.key(tokens), value: layer.value(tokens) * scale))
        }
        return ImagePrompts.Prompt(projections: ContextProjections(Dictionary(uniqueKeysWithValues: pairs)))
    }
}

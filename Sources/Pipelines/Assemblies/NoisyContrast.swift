import Checkpoints
import Diffusion
import Networks
import Tensors
import Tokenizers

/// A CLIP that knows noise: how alike texts and noisy pictures are. It draws none itself: it guides models of such pictures.
///
/// On disk it is a folder like those of the diffusers layout: `model_index.json`, `image_encoder/`, `text_encoder/`, and
/// `scheduler/` with the process of its noise.
/// Source: Nichol et al. 2021 (arXiv:2112.10741), section 2.3.
package struct NoisyContrast: StoredAssembly {
    package static let classNames = ["NoisyCLIPPipeline"]
    package static let family = "noisy-clip"
    package static let networkComponent = ModelComponent.imageEncoder
    /// What cosines are multiplied with in published models.
    private static let usualScale = 100.0

    /// Where it was opened, for messages.
    package let name: String
    private let pictures: NoisyCLIPImage
    private let texts: NoisyCLIPText
    private let process: Process
    private let scale: Double
    private let source: ModelSource
    private let options: ModelOptions

    package init(_ source: ModelSource, _ options: ModelOptions) throws {
        (name, self.source, self.options) = (source.name, source, options)
        process = try source.process()
        scale = try source.setting("logit_scale") ?? Self.usualScale
        pictures = try source.build(
            NoisyCLIPImage.self, .imageEncoder, elementType: options.elementType, on: options.device)
        texts = try source.build(
            NoisyCLIPText.self, .textEncoder, elementType: options.elementType, on: options.device)
        let (width, other) = (
            pictures.configuration.embeddingWidth, texts.configuration.embeddingWidth
        )
        guard width == other else {
            throw PipelineError(
                "\(source.path): its encoder of pictures gives \(width) features, and that of texts \(other) (n_embd): they are of different models"
            )
        }
    }

    package var takesPrompt: Bool { true }
    package var classCount: Int? { nil }

    package func stages(_ request: Request) throws -> [any Stage] {
        throw PipelineError(
            "\(name) compares texts with noisy pictures and draws none: give it as \(.noisyCLIP) beside a model of such pictures"
        )
    }

    package func similarity(
        to prompts: [String], of shape: Shape, sampler: Sampler, process: Process
    ) throws -> NoisySimilarity {
        let size = pictures.configuration.imageSize
        guard shape == [3, size, size] else {
            throw PipelineError(
                "\(.noisyCLIP): \(name) takes pictures of \(Shape([3, size, size])), and here samples are \(shape): give a CLIP of these samples"
            )
        }
        // Outside of inference, so that gradients can pass what is multiplied with it.
        let wanted = embeddings(of: prompts)
        let (pictures, scale, source) = (pictures, scale, source)
        let type = options.elementType
        let embedding = noisyFunction(of: self.process, for: (sampler, process), in: type) { x, time in
            pictures(x, time: time)
        }
        return NoisySimilarity(
            value: { rows in
                let own = wanted.slice(rows, of: 0)
                return { x, level in
                    (embedding(x, level) * own.to(x.elementType)).sum([1]) * scale
                }
            },
            digests: { try ModelDigests(source, [.imageEncoder, .textEncoder]) })
    }

    /// Vectors of texts, by CLIP's published vocabulary; what does not fit is cut off.
    private func embeddings(of prompts: [String]) -> Tensor {
        let (tokenizer, length) = (CLIPTokenizer.published(), texts.configuration.length)
        let encoded = prompts.map { tokenizer.encode($0, length: length) }
        let ids = Tensor(encoded.flatMap { $0.ids.map(Int64.init) }, shape: [prompts.count, length])
        return texts(ids.to(options.device), counts: encoded.map(\.tokenCount))
    }
}

extension Model {
    /// Opens a model that judges noisy samples.
    /// - Parameter field: what it is given as.
    /// - Throws: `PipelineError` for a CLIP that knows no noise; an error that names the file and the key.
    package init(judging field: RequestField, _ path: String, _ options: ModelOptions) throws {
        if let folder = ModelLayout.networkFolder(of: path),
            case let name = try KnownNetworks.name(in: folder.configuration()), name.hasPrefix("CLIP")
        {
            throw PipelineError(
                "\(field): '\(path)' is a \(name), which was trained on pictures without noise: give one that knows noise (NoisyCLIPPipeline)"
            )
        }
        try self.init(path, options)
    }
}

import Checkpoints
import Networks
import Tokenizers

extension TextEncoding {
    /// Checks CLIP's encoders and their tokenizers; no weights are read.
    /// - Returns: the features of a token and of a text.
    /// - Throws: an error that names the file.
    func checkCLIP(_ clips: [(component: ModelComponent, isProjected: Bool)]) throws -> (
        context: Int, pooled: Int
    ) {
        var (widths, lengths) = ((context: 0, pooled: 0), [Int]())
        for (component, isProjected) in clips {
            if isProjected {
                try source.check(CLIPTextWithProjection.self, component)
            } else {
                try source.check(CLIPText.self, component)
            }
            let configuration = try CLIPText.configuration(source.configuration(of: component))
            lengths.append(try clipTokenizer(component, configuration).length)
            widths.context += configuration.hiddenSize
            widths.pooled += isProjected ? configuration.projectionDim : 0
        }
        // Their features of a token are laid side by side.
        guard Set(lengths).count <= 1 else {
            throw PipelineError(
                "\(source.path): the tokenizers make texts of \(lengths) tokens, which must be equal")
        }
        return widths
    }

    /// Checks latent diffusion's encoder and its tokenizer; no weights are read.
    /// - Parameter length: tokens of a prompt.
    /// - Returns: the features of a token.
    /// - Throws: an error that names the file.
    func checkBERT(_ component: ModelComponent, length: Int) throws -> Int {
        try source.check(LDMBert.self, component)
        _ = try bertTokenizer(component)
        let configuration = try LDMBert.configuration(source.configuration(of: component))
        guard length <= configuration.maxPositionEmbeddings else {
            throw PipelineError(
                "\(source.path): texts have \(length) tokens, and \(component.rawValue) knows \(configuration.maxPositionEmbeddings) places"
            )
        }
        return configuration.dModel
    }

    /// Checks T5 and its tokenizer; no weights are read.
    /// - Returns: the features of a token; `nil` where encoder or tokenizer is absent.
    /// - Throws: an error that names the file.
    func checkT5(_ component: ModelComponent) throws -> Int? {
        guard try source.has(component), let tokenizer = tokenizerFolder(component) else { return nil }
        try source.check(T5Encoder.self, component)
        _ = try T5Tokenizer(folder: tokenizer)
        return try T5Encoder.configuration(source.configuration(of: component)).dModel
    }
}

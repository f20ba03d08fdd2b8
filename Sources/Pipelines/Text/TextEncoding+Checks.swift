import Checkpoints
import Networks
import Tokenizers

extension TextEncoding {
    /// The CLIP encoders that prompts pass through, and whether the text as a whole is projected.
    private var clips: [(component: ModelComponent, isProjected: Bool)] {
        get throws {
            switch source.kind {
            case .stableDiffusionXL:
                // The refiner has the second only.
                try (source.has(.textEncoder) ? [(.textEncoder, false)] : []) + [(.textEncoder2, true)]
            case .stableDiffusion3:
                try [ModelComponent.textEncoder, .textEncoder2].filter(source.has).map { ($0, true) }
            default: [(.textEncoder, false)]
            }
        }
    }

    /// Checks encoders and tokenizers; no weights are read.
    /// - Returns: the features of a token and of a text; `nil` where they depend on what an absent encoder would give.
    /// - Throws: an error that names the file.
    func check() throws -> (context: Int, pooled: Int)? {
        let clips = try clips
        var widths = (context: 0, pooled: 0)
        for (component, isProjected) in clips {
            if isProjected {
                try source.check(CLIPTextWithProjection.self, component)
            } else {
                try source.check(CLIPText.self, component)
            }
            let configuration = try CLIPText.configuration(source.configuration(of: component))
            _ = try clipTokenizer(component, configuration)
            widths.context += configuration.hiddenSize
            widths.pooled += isProjected ? configuration.projectionDim : 0
        }
        guard source.kind == .stableDiffusion3 else { return widths }
        guard try source.has(.textEncoder3), let tokenizer = tokenizerFolder(.textEncoder3) else {
            return nil
        }
        try source.check(T5Encoder.self, .textEncoder3)
        _ = try T5Tokenizer(folder: tokenizer)
        let width = try T5Encoder.configuration(source.configuration(of: .textEncoder3)).dModel
        return clips.count == 2 ? (width, widths.pooled) : nil
    }
}

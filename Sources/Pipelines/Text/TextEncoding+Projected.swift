import Checkpoints
import Networks
import Tensors

extension TextEncoding {
    /// Prompts by a CLIP whose texts are projected, and an empty text: the states of the last layer, normed, with the mask
    /// that hides padding, and the text as a whole. What unCLIP's networks are conditioned on.
    /// - Returns: those of the prompts, a row for each, or one row where they are alike; and those of the empty text.
    func projected(_ prompts: [String], _ component: ModelComponent) throws -> (
        wanted: TextEmbedding, empty: TextEmbedding
    ) {
        // Each text is encoded once, however many pictures have it.
        var texts: [String] = []
        for prompt in prompts where !texts.contains(prompt) { texts.append(prompt) }
        let embeddings = try clip(
            (texts + [""]).map { Prompt(text: $0) }, component, isProjected: true, leaving: 0)
        let rows = texts.count == 1 ? [0] : prompts.map { texts.firstIndex(of: $0) ?? 0 }
        return (TextEmbedding(rows: rows.map { embeddings[$0] }), embeddings[texts.count])
    }

    /// Checks such a CLIP and its tokenizer; no weights are read.
    /// - Returns: the features of a token and of a text, and the tokens of a text.
    /// - Throws: an error that names the file.
    func checkProjected(_ component: ModelComponent) throws -> (states: Int, text: Int, tokens: Int) {
        try source.check(CLIPTextWithProjection.self, component)
        let configuration = try CLIPText.configuration(source.configuration(of: component))
        let tokenizer = try clipTokenizer(component, configuration)
        return (configuration.hiddenSize, configuration.projectionDim, tokenizer.length)
    }

    /// Checks that a prior takes what such a CLIP gives.
    /// - Parameters:
    ///   - states: the features of a token that the prior takes, and the key of its configuration.
    ///   - text: those of a text as a whole.
    ///   - tokens: the tokens of a text.
    /// - Throws: `PipelineError` that names the key.
    func checkProjected(
        _ component: ModelComponent, states: (taken: Int, key: String), text: (taken: Int, key: String),
        tokens: (taken: Int, key: String)
    ) throws {
        let found = try checkProjected(component)
        let rows = [
            (found.states, "features a token", states), (found.text, "features a text", text),
            (found.tokens, "tokens a text", tokens),
        ]
        if let (given, unit, place) = rows.first(where: { $0.0 != $0.2.taken }) {
            throw PipelineError(
                "\(source.path): \(component.rawValue) gives \(given) \(unit), and the prior takes \(place.taken) (\(place.key)): they are of different models"
            )
        }
    }
}

extension TextEmbedding {
    /// What a network is conditioned on that reads the states, their mask and the text as a whole.
    var conditions: Conditions {
        var conditions = Conditions(context: context, pooledText: pooled)
        conditions[.contextMask] = mask
        return conditions
    }
}

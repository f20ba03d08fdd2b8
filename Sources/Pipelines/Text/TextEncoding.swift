import Checkpoints
import Layers
import Networks
import Tensors
import Tokenizers

/// What the text encoders of a model make of a prompt.
package struct TextEmbedding {
    /// What the network attends to, `[rows, tokens, width]`.
    var context: Tensor
    /// The text as a whole, `[rows, width]`, where the network wants it.
    var pooled: Tensor?
    /// Which tokens are no padding, 1 or 0, `[rows, tokens]`, where the encoder says so.
    var mask: Tensor?

    init(context: Tensor, pooled: Tensor? = nil, mask: Tensor? = nil) {
        (self.context, self.pooled, self.mask) = (context, pooled, mask)
    }

    /// Those of several texts, a row each.
    init(rows: [TextEmbedding]) {
        self = rows[0]
        guard rows.count > 1 else { return }
        context = concatenated(rows.map(\.context))
        pooled = pooled.map { _ in concatenated(rows.compactMap(\.pooled)) }
        mask = mask.map { _ in concatenated(rows.compactMap(\.mask)) }
    }

    /// Those of the parts of one text, one after the other; the first one is the text as a whole.
    init(chunks: [TextEmbedding]) {
        self = chunks[0]
        guard chunks.count > 1 else { return }
        context = concatenated(chunks.map(\.context), along: 1)
        mask = mask.map { _ in concatenated(chunks.compactMap(\.mask), along: 1) }
    }

    /// The same without any text in it.
    var zeros: TextEmbedding {
        TextEmbedding(context: context * 0, pooled: pooled.map { $0 * 0 }, mask: mask)
    }
}

/// From prompts to what a network is conditioned on. Each encoder is opened, run once, and let go of before the next.
package struct TextEncoding {
    /// Where tokenizers and encoders are.
    let source: ModelSource
    /// The element type of the encoders' arithmetic.
    var elementType: ElementType
    /// Where they run.
    let device: Device
    /// How their matrices are kept.
    let matrices: MatrixFormat
    /// Layers of CLIP that are left out for the wanted prompt; never for the unwanted one, as in diffusers.
    let clipSkip: Int
    /// Whether `(word:1.2)` in prompts is a weight, and BREAK divides them.
    let weighsWords: Bool
    /// Whether textual inversions in prompts are read.
    let readsInversions: Bool
    /// Gets what was cut off.
    var say: (Sentence) -> Void
    /// How these weights act.
    var normalization = WeightNormalization.a1111

    /// A prompt, and how it is read.
    package struct Prompt: Equatable {
        var text: String
        var isNegative = false
    }

    // MARK: Encoders

    /// The states of one of the last layers and, where it is projected, the text as a whole.
    /// - Parameter least: 1 for the last layer but one, as SDXL and 3 read it; 0 for the last one, normed, as
    ///   Stable Diffusion 1 and 2 do, whose configuration can also ask for a mask.
    /// - Parameter readsEnd: whether the state at its end is the text as a whole where nothing is projected.
    func clip(
        _ prompts: [Prompt], _ component: ModelComponent, isProjected: Bool, leaving least: Int = 1,
        readsEnd: Bool = false
    ) throws -> [TextEmbedding] {
        try finite(component) {
            try $0.clipStates(
                prompts, component, isProjected: isProjected, leaving: least, readsEnd: readsEnd)
        }
    }

    private func clipStates(
        _ prompts: [Prompt], _ component: ModelComponent, isProjected: Bool, leaving least: Int,
        readsEnd: Bool
    ) throws -> [TextEmbedding] {
        var projected = isProjected ? try build(CLIPTextWithProjection.self, component) : nil
        var encoder = try projected?.text ?? build(CLIPText.self, component)
        let tokenizer = try clipTokenizer(component, encoder.configuration)
        if let words = source.words[component] {
            encoder = try widened(encoder, component, by: words)
            projected?.text = encoder
        }
        func encoded(_ chunk: [WeightedText], of prompt: Prompt) throws -> TextEmbedding {
            let tokens = tokenized(chunk, tokenizer, length: nil) {
                readsInversions ? tokenizer.widened($0) : $0
            }
            let ids = try ids(tokens, of: component, knowing: encoder.configuration.vocabSize)
            let masked = least == 0 && !isProjected && encoder.configuration.useAttentionMask
            let both = projected.map { $0(ids) }
            let output = both?.output ?? encoder(ids, mask: masked ? mask(tokens) : nil)
            let skipped = try skipped(prompt, of: output, leaving: least)
            let states = output.states(skipping: least + skipped, normed: least == 0)
            return TextEmbedding(
                context: try weighted(states, by: tokens) { try encoded([], of: prompt).context },
                pooled: both?.embedding ?? (readsEnd ? output.pooled : nil), mask: mask(tokens))
        }
        let all = prompts.map { chunks(of: $0.text) }
        // Prompts pass through the network together, so shorter ones are filled up with empty chunks, as AUTOMATIC1111 can.
        let count = all.map(\.count).max() ?? 1
        return try zip(prompts, all).map { prompt, chunks in
            let filled = chunks + Array(repeating: [], count: count - chunks.count)
            return TextEmbedding(chunks: try filled.map { try encoded($0, of: prompt) })
        }
    }

    /// T5's states; `nil` for a file that comes without its tokenizer.
    /// - Parameters:
    ///   - length: tokens of a prompt.
    ///   - hidesPadding: whether tokens see none that only fill the prompt up.
    func t5(
        _ prompts: [Prompt], _ component: ModelComponent, length: Int, hidesPadding: Bool = false
    ) throws -> [Tensor]? {
        try checkUndivided(prompts)
        guard let folder = tokenizerFolder(component) else {
            say(
                "note: T5 is left out, because its tokenizer is not in the file: give a folder of configurations with it"
            )
            return nil
        }
        return try finite(component) { encoding in
            let encoder = try encoding.build(T5Encoder.self, component)
            let tokenizer = try T5Tokenizer(folder: folder)
            func encoded(_ parts: [WeightedText]) throws -> Tensor {
                let tokens = encoding.tokenized(parts, tokenizer, length: length)
                let ids = try ids(tokens, of: component, knowing: encoder.configuration.vocabSize)
                let states = encoder(ids, mask: hidesPadding ? mask(tokens) : nil).last
                return try weighted(states, by: tokens) { try encoded([]) }
            }
            return try prompts.map { TextEmbedding(context: try encoded(chunks(of: $0.text)[0])) }
        }.map(\.context)
    }

    /// The states of latent diffusion's own encoder.
    /// - Parameter length: tokens of a prompt.
    func bert(_ prompts: [Prompt], _ component: ModelComponent, length: Int) throws -> [TextEmbedding] {
        try checkUndivided(prompts)
        return try finite(component) { encoding in
            let encoder = try encoding.build(LDMBert.self, component)
            let tokenizer = try bertTokenizer(component)
            func encoded(_ parts: [WeightedText]) throws -> Tensor {
                let tokens = encoding.tokenized(parts, tokenizer, length: length)
                let ids = try ids(tokens, of: component, knowing: encoder.configuration.vocabSize)
                return try weighted(encoder(ids), by: tokens) { try encoded([]) }
            }
            return try prompts.map { TextEmbedding(context: try encoded(chunks(of: $0.text)[0])) }
        }
    }

    /// BERT's tokenizer of an encoder.
    func bertTokenizer(_ component: ModelComponent) throws -> BERTTokenizer {
        guard let folder = tokenizerFolder(component) else {
            throw PipelineError(
                "\(source.path): \(component.rawValue) has no tokenizer: give a folder with it")
        }
        return try BERTTokenizer(folder: folder)
    }

    private func build<Network: ConfiguredNetwork>(_ type: Network.Type, _ component: ModelComponent) throws
        -> Network
    {
        try source.build(
            type, component, elementType: elementType, on: device, matrices: matrices, prepares: false)
    }

    private func skipped(_ prompt: Prompt, of output: CLIPTextOutput, leaving least: Int) throws -> Int {
        guard !prompt.isNegative, clipSkip > 0 else { return 0 }
        let most = output.states.count - 1 - least
        guard clipSkip <= most else {
            throw PipelineError("\(.clipSkip) is \(clipSkip): this text encoder allows 0 to \(most)")
        }
        return clipSkip
    }

    // MARK: Tokens

    func clipTokenizer(_ component: ModelComponent, _ configuration: CLIPTextConfiguration) throws
        -> CLIPTokenizer
    {
        let tokenizer =
            try source.tokenizer() ?? tokenizerFolder(component).map { try CLIPTokenizer(folder: $0) }
            ?? .published(padding: source.file?.family.padding(of: component) ?? .end)
        guard tokenizer.length <= configuration.maxPositionEmbeddings else {
            throw PipelineError(
                "\(source.path): the tokenizer makes texts of \(tokenizer.length) tokens, and \(component.rawValue) knows \(configuration.maxPositionEmbeddings) places"
            )
        }
        let words = source.words[component] ?? []
        return try tokenizer.adding(words.map { ($0.word, $0.vectors.shape[0]) })
    }

    /// The folder of an encoder's tokenizer, `nil` for a file, which holds none.
    func tokenizerFolder(_ component: ModelComponent) -> String? {
        component.tokenizer.flatMap(source.tokenizerFolder)
    }

    /// The parts of a prompt that are encoded by themselves, in texts with their weights.
    func chunks(of text: String) -> [[WeightedText]] {
        weighsWords ? WeightedText.chunks(of: text) : [[WeightedText(text)]]
    }

    /// Throws where a prompt has several such parts, for encoders that read one.
    func checkUndivided(_ prompts: [Prompt]) throws {
        guard prompts.contains(where: { chunks(of: $0.text).count > 1 }) else { return }
        throw PipelineError(
            "the word BREAK divides prompts for CLIP, and not CLIP alone reads those of \(source.name): leave it out"
        )
    }

    private func tokenized(
        _ parts: [WeightedText], _ tokenizer: some TextTokenizer, length: Int?,
        widened: (String) -> String = { $0 }
    ) -> TokenizedPrompt {
        let tokens = tokenizer.encode(
            parts.map { WeightedText(widened($0.text), weight: $0.weight) }, length: length)
        if let warning = tokens.warning { say("warning: \(warning)") }
        return tokens
    }

    /// `[1, tokens]`
    private func ids(_ tokens: TokenizedPrompt, of component: ModelComponent, knowing count: Int) throws
        -> Tensor
    {
        guard let most = tokens.ids.max(), most < count else {
            throw PipelineError(
                "\(source.path): the tokenizer gives the token \(tokens.ids.max() ?? 0), and \(component.rawValue) knows \(count) (vocab_size): they are of different models"
            )
        }
        return Tensor(tokens.ids.map { Int64($0) }).unsqueezed(0).to(device)
    }

    private func mask(_ tokens: TokenizedPrompt) -> Tensor {
        Tensor(tokens.ids.indices.map { Int64($0 < tokens.tokenCount ? 1 : 0) }).unsqueezed(0).to(device)
    }

    /// States with the weights of their tokens.
    /// - Parameter empty: the states of an empty text.
    private func weighted(_ states: Tensor, by tokens: TokenizedPrompt, empty: () throws -> Tensor) rethrows
        -> Tensor
    {
        guard tokens.weights.contains(where: { $0 != 1 }) else { return states }
        let weights = Tensor(tokens.weights).to(states.elementType).to(states.device).reshaped([1, -1, 1])
        return try normalization.weighted(states, by: weights, empty: empty)
    }

    func zeros(_ shape: Shape) -> Tensor { .zeros(shape, elementType, on: device) }

    /// The embeddings of an encoder; where float16 overflows in it, it runs again in float32.
    private func finite(
        _ component: ModelComponent, _ encode: (TextEncoding) throws -> [TextEmbedding]
    ) throws -> [TextEmbedding] {
        let embeddings = try encode(self)
        if try embeddings.allSatisfy({ try $0.isFinite }) { return embeddings }
        if elementType == .float16 {
            say("warning: float16 overflows in \(component.rawValue), which runs in float32")
            var wide = self
            // Remarks on the prompts were made before.
            (wide.elementType, wide.say) = (.float32, { _ in })
            let embeddings = try encode(wide).map { $0.to(elementType) }
            if try embeddings.allSatisfy({ try $0.isFinite }) { return embeddings }
        }
        throw PipelineError(
            "\(component.rawValue) gave numbers that are not finite for the prompt: try \(.elementType) float32, or other weights"
        )
    }
}

extension TextEmbedding {
    fileprivate var isFinite: Bool {
        get throws {
            try [context, pooled].compactMap(\.self).allSatisfy { try $0.isFinite().all().item(Bool.self) }
        }
    }

    fileprivate func to(_ type: ElementType) -> TextEmbedding {
        TextEmbedding(context: context.to(type), pooled: pooled?.to(type), mask: mask)
    }
}

import Checkpoints
import Networks
import Storage
import Tensors
import Tokenizers

// Words of prompts that stand for learned vectors.

extension TextEncoding {
    /// An encoder that knows the words of its model.
    /// - Throws: `PipelineError` where the tokenizer has more tokens than the encoder.
    func widened(_ encoder: CLIPText, _ component: ModelComponent, by words: [EmbeddedWord]) throws
        -> CLIPText
    {
        let vectors = concatenated(words.map { $0.vectors.to(elementType) })
        let count = try clipTokenizer(component, encoder.configuration).count - vectors.shape[0]
        guard count <= encoder.configuration.vocabSize else {
            throw PipelineError(
                "\(source.path): the tokenizer has \(count) tokens, and \(component.rawValue) knows \(encoder.configuration.vocabSize) (vocab_size): they are of different models"
            )
        }
        return encoder.adding(vectors, after: count)
    }

    /// Checks that the words which were given vectors stand in prompts: one that does not has no part in any picture.
    /// - Parameter clips: the encoders that read them.
    /// - Throws: `PipelineError` that names the word.
    func checkWords(in texts: [String], _ clips: [ModelComponent]) throws {
        for component in clips {
            guard let words = source.words[component] else { continue }
            let tokenizer = try clipTokenizer(
                component, CLIPText.configuration(source.configuration(of: component)))
            let found = Set(
                texts.flatMap { text in
                    chunks(of: text).joined().flatMap { tokenizer.tokens(of: $0.text) }
                })
            var id = tokenizer.count - words.reduce(0) { $0 + $1.vectors.shape[0] }
            for (word, vectors) in words.map({ ($0.word, $0.vectors) }) {
                guard found.contains(id) else {
                    throw PipelineError(
                        "\(.embeddings): the word \(quoted(word)) stands in no prompt: write it where the vectors are meant, or leave them out"
                    )
                }
                id += vectors.shape[0]
            }
        }
    }
}

import Tokenizers

/// CLIP's tokenizer over byte pairs that are learnt from captions, and the number of tokens that texts are cut to.
struct LearntTokenizer {
    /// What is written beside a model.
    let vocabulary: BytePairVocabulary
    let tokenizer: CLIPTokenizer
    /// Tokens of a text, start and end included.
    let length: Int
    /// How many captions are longer.
    let cutCount: Int

    /// Learns from captions.
    /// - Parameters:
    ///   - tokens: the most tokens of a text; what the longest caption needs where `nil`, 77 at the most.
    ///   - training: how byte pairs are learnt.
    /// - Throws: `TokenizerError`
    init(
        learntFrom captions: [String], tokens: Int?, _ training: BytePairTraining = BytePairTraining()
    ) throws {
        vocabulary = training.vocabulary(of: captions)
        let uncut = try CLIPTokenizer(vocabulary)
        let lengths = captions.map { uncut.tokens(of: $0).count + 2 }
        let length = tokens ?? min(max(lengths.max() ?? 3, 3), 77)
        (self.length, tokenizer) = (length, try CLIPTokenizer(vocabulary, length: length))
        cutCount = lengths.filter { $0 > length }.count
    }
}

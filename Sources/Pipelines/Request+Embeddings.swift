import Pictures

extension Request {
    /// What a decoder of CLIP's embeddings is given (unCLIP), where it is not the model's own choice.
    public struct Embeddings: Sendable {
        /// Where the embedding of a picture is from that is made of a text.
        public enum Origin: String, Sendable, CaseIterable, Codable {
            /// A prior makes it of the text.
            case prior
            /// CLIP's embedding of the text stands in its place.
            case text
            /// There is none: the text alone.
            case none
        }

        /// Two texts, whose difference a picture is changed by.
        public struct TextDifference: Sendable, Equatable, Codable {
            /// What the picture shows.
            public var from: String
            /// What it is to show.
            public var to: String
            /// How far the last picture goes on the way, above 0 to 1; 0.4 where `nil`.
            public var share: Double?

            /// A change from one text to another.
            public init(from: String, to: String, share: Double? = nil) {
                (self.from, self.to, self.share) = (from, to, share)
            }
        }

        /// Where the embedding is from; a prior where there is one, and otherwise the text.
        public var origin: Origin?
        /// The model that makes embeddings of texts.
        public var prior: Model?
        /// Embeddings that a prior draws for each picture, of which the one closest to the text is kept.
        public var candidates: Int?
        /// The picture to which the way leads from the reference, `count` pictures evenly spaced.
        public var towards: Picture?
        /// A change of what the reference shows, `count` pictures evenly spaced.
        public var difference: TextDifference?

        /// The model's own choice.
        public init() {}
    }

    /// The fields of embeddings that say something.
    var givenEmbeddings: [(RequestField, Bool)] {
        [
            (.embedding, embeddings.origin != nil), (.prior, embeddings.prior != nil),
            (.priorCandidates, embeddings.candidates != nil), (.imageTo, embeddings.towards != nil),
            (.textDiff, embeddings.difference != nil),
        ]
    }

    /// What a prior reads of the request, however it draws embeddings.
    var ofPrior: Request {
        var own = Request()
        (own.prompts, own.count, own.seed) = (prompts, count, seed)
        (own.interpolation, own.batchSize, own.rng) = (interpolation, batchSize, rng)
        return own
    }

    /// The scale of a prior's guidance.
    /// - Parameter usual: where the request does not say.
    /// - Throws: `PipelineError` where single precision does not hold it.
    func checkedPriorGuidance(usual: Double) throws -> Double {
        let scale = priorGuidance ?? usual
        guard Float(scale).isFinite else {
            throw PipelineError(
                "\(.priorGuidance) is \(scale): give a number that single precision holds")
        }
        return scale
    }

    /// The number of embeddings that a prior draws for each picture.
    /// - Parameter usual: where the request does not say.
    /// - Throws: `PipelineError` where it is none.
    func priorCandidates(usual: Int) throws -> Int {
        let count = embeddings.candidates ?? usual
        guard (1...64).contains(count) else {
            throw PipelineError("\(.priorCandidates) is \(count): give 1 to 64")
        }
        return count
    }

    /// How the embedding of the reference is changed; `nil` where it is not.
    /// - Throws: `PipelineError` where there is nothing to change, or two changes.
    func embeddingChange() throws -> EmbeddingSource.Change? {
        let change: (EmbeddingSource.Change, RequestField)
        if let picture = embeddings.towards {
            guard embeddings.difference == nil else {
                throw PipelineError(
                    "\(.imageTo) and \(.textDiff) are two ways to go: leave out one of them")
            }
            guard count > 1 else {
                throw PipelineError("\(.imageTo) makes a row of pictures: give \(.count) 2 or more")
            }
            change = (.towards(picture), .imageTo)
        } else if let difference = embeddings.difference {
            let share = difference.share ?? 0.4
            guard share > 0, share <= 1 else {
                throw PipelineError("\(.textDiffShare) is \(share): give a share above 0, up to 1")
            }
            guard difference.from != difference.to else {
                throw PipelineError("\(.textDiff) holds one text twice: give two that differ")
            }
            change = (
                .textDifference(from: difference.from, to: difference.to, share: share), .textDiff
            )
        } else {
            return nil
        }
        guard case .picture? = reference else {
            throw PipelineError(
                "\(change.1) changes what a picture shows: give \(.reference) a picture (.png .jpg .webp)")
        }
        return change.0
    }
}

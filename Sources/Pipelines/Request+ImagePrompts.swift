import Pictures

extension Request {
    /// Pictures that say what is wanted beside the prompt.
    public struct ImagePrompt: Sendable {
        /// What makes a prompt of them.
        public var adapter: ImageAdapter
        /// The pictures, which make one prompt together.
        public var pictures: [Picture]
        /// What attention to them is multiplied with; at 0 the pictures that are made stay the same to the last bit.
        public var weight = 1.0
        /// The files that the pictures came from, for the receipt.
        public var pictureFiles: [InputFile] = []

        /// Pictures at their full weight.
        public init(_ adapter: ImageAdapter, _ pictures: [Picture]) {
            (self.adapter, self.pictures) = (adapter, pictures)
        }
    }

    /// Throws where prompts of pictures have no meaning, or do not go with the rest of the request.
    func checkImagePrompts() throws {
        for prompt in imagePrompts {
            guard Float(prompt.weight).isFinite else {
                throw PipelineError(
                    "the weight of \(.imagePromptPicture) is \(prompt.weight): give a number that single precision holds"
                )
            }
            guard !prompt.pictures.isEmpty else {
                throw PipelineError(
                    "\(.imagePrompts) \(prompt.adapter.name) is given no picture: add \(.imagePromptPicture)")
            }
        }
        guard imagePrompts.isEmpty || guide == nil else {
            throw PipelineError("\(.guide) does not go with \(.imagePrompts): leave out one of them")
        }
    }
}

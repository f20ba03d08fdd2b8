import Pictures

extension Recipe {
    /// Where the examples come from and what shape they are brought to.
    public struct DataSection: Equatable, Sendable {
        /// The form the data are in.
        public var kind = DataKind.digits
        /// The file or folder; not used by `digits`, which come with the project.
        public var path: String?
        /// Which part is learnt from.
        public var split = Split.train
        /// Side in pixels that pictures are padded or resized to; as they are where absent.
        public var size: Int?
        /// Colour channels of the pictures (1 or 3); as they are where absent.
        public var channels: Int?
        /// Whether each picture is mirrored left to right half of the time.
        public var flip = false
        /// The colour that transparent parts of a folder's pictures are laid on, such as `white` or `#ffffff`; where
        /// absent, the colours that are stored under them count.
        public var background: String?
        /// Where the captions come from.
        public var captions = Captions.none

        /// A part of a data set.
        public enum Split: String, RecipeChoice, CaseIterable {
            /// What is learnt from.
            case train
            /// What is held back to judge by.
            case evaluation
            /// Both.
            case all
        }

        /// A source of captions.
        public enum Captions: String, RecipeChoice, CaseIterable {
            /// There are none, and no file of captions is opened.
            case none
            /// The name of each example's class.
            case classNames = "class-names"
            /// `text` in `metadata.jsonl`: a text or a list of texts a picture, of which the seed draws one.
            case file
        }

        /// The section with every default.
        public init() {}
    }
}

extension Recipe.DataSection {
    static let keys: [RecipeKey] = [
        RecipeKey("data.kind", \.data.kind, .choice, "The form the data are in."),
        RecipeKey(
            "data.path", \.data.path, .optional(.text("a path")),
            "The file or folder, which every kind but digits needs."),
        RecipeKey(
            "data.split", \.data.split, .choice,
            "Which part is learnt from: of data that come in two parts, such as digits and idx files, those parts; of a folder every tenth picture of a class is held back for evaluation, of points and pairs every tenth example."
        ),
        RecipeKey(
            "data.size", \.data.size, .optional(.whole(1...8192)),
            "Side in pixels that pictures are padded or resized to; as they are by default."),
        RecipeKey(
            "data.channels", \.data.channels,
            .optional(.whole(oneOf: [1, 3], "1 for grey or 3 for colour")),
            "Colour channels of the pictures; as they are by default, 3 of a folder's."),
        RecipeKey(
            "data.flip", \.data.flip, .truth, "Whether pictures are mirrored left to right half of the time."),
        RecipeKey(
            "data.background", \.data.background,
            .optional(
                .text("#rrggbb, or one of \(Colour.names.joined(separator: ", "))") {
                    Colour(css: $0) != nil
                }),
            "The colour that transparent parts of a folder's pictures are laid on; by default the colours stored under them count."
        ),
        RecipeKey(
            "data.captions", \.data.captions, .choice,
            "Where captions come from: the names of the classes, or text in the folder's metadata.jsonl, of several the one that the seed draws. With none, no caption is read."
        ),
    ]
}

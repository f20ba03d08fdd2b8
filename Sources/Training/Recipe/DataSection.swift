import Datasets
import Pictures
import Yams

extension Recipe {
    /// Where the examples come from and what shape they are brought to.
    public struct DataSection: Equatable, Sendable {
        /// The form the data are in.
        public var kind = DataKind.digits
        /// The file or folder; not used by `digits`, which come with the project.
        public var path: String?
        /// Which part is learnt from.
        public var split = Split.train
        /// Other data of the same form whose loss is measured on the way; what `split` holds back where absent.
        public var validationPath: String?
        /// Side in pixels that pictures are padded or resized to; as they are where absent.
        public var size: Int?
        /// Pixels a side whose mean becomes one, after pictures were brought to as many times `size`; 1 where absent.
        public var downscale: Int?
        /// How the smaller pictures that a network enlarges are made of the pictures; means of squares where absent.
        public var degradation: DegradationKind?
        /// Colour channels of the pictures (1 or 3); as they are where absent.
        public var channels: Int?
        /// Whether each picture is mirrored left to right half of the time.
        public var flip = false
        /// What the sides of pictures are multiples of where they keep about their own shape; where absent, all are cut to
        /// squares of `size`.
        public var buckets: Int?
        /// How often the shorter side of a bucket may go into the longer one; 2 where absent.
        public var bucketRatio: Double?
        /// The colour that transparent parts of pictures are laid on, such as `white` or `#ffffff`; where
        /// absent, the colours that are stored under them count.
        public var background: String?
        /// Where the captions come from.
        public var captions = Captions.none
        /// Where captions of files come from, and how often each place is drawn; all alike where empty.
        public var captionColumns: [CaptionColumn] = []
        /// Samples of shards among which the next one is drawn; 1000 where absent.
        public var shuffleBuffer: Int?
        /// Batches that are made at a time, each on a thread of its own.
        public var workers = 2

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
            /// Rows of `metadata.jsonl` or `metadata.csv`, files beside pictures, members of shards: of several texts a
            /// picture the seed draws one.
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
            "Which part is learnt from: of data that come in two parts, such as digits and idx files, those parts; of a folder every tenth picture of a class is held back for evaluation, of shards, npz, points and pairs every tenth example."
        ),
        RecipeKey(
            "data.validation_path", \.data.validationPath, .optional(.text("a path")),
            changeable: "nothing is learnt from it",
            "Other data of the same form, all of them held out: the loss of at most 64 of their examples, evenly spread, is the validation loss; by default that of what data.split train holds back."
        ),
        RecipeKey(
            "data.size", \.data.size, .optional(.whole(1...8192)),
            "Side in pixels that pictures are padded or resized to; as they are by default."),
        RecipeKey(
            "data.downscale", \.data.downscale, .optional(.whole(1...64)),
            "Pixels a side whose mean becomes one, after pictures were brought to as many times data.size: what the first stages of a cascade learn. 1 by default."
        ),
        RecipeKey(
            "data.degradation", \.data.degradation, .optional(.choice),
            "How the smaller picture that a network enlarges (model.low_resolution_factor) is made in training: by blurs, resizing, noise and JPEG drawn for each picture, twice (real-esrgan) or once (first-order); the mean of squares of pixels by default, as it always is in validation and sample sheets."
        ),
        RecipeKey(
            "data.channels", \.data.channels,
            .optional(.whole(oneOf: [1, 3], "1 for grey or 3 for colour")),
            "Colour channels of the pictures; as they are by default, 3 of picture files."),
        RecipeKey(
            "data.buckets", \.data.buckets, .optional(.whole(1...8192)),
            "What the sides of pictures of folders and shards are multiples of where they keep about their own shape, in an area of at most data.size squared; a batch is of one size. By default all are cut to squares."
        ),
        RecipeKey(
            "data.bucket_ratio", \.data.bucketRatio, .optional(.number(1...16)),
            "How often the shorter side of a bucket may go into the longer one; 2 by default."),
        RecipeKey(
            "data.flip", \.data.flip, .truth, "Whether pictures are mirrored left to right half of the time."),
        RecipeKey(
            "data.background", \.data.background,
            .optional(
                .text("#rrggbb, or one of \(Colour.names.joined(separator: ", "))") {
                    Colour(css: $0) != nil
                }),
            "The colour that transparent parts of picture files are laid on; by default the colours stored under them count."
        ),
        RecipeKey(
            "data.captions", \.data.captions, .choice,
            "Where captions come from: the names of the classes, or files: text in the folder's metadata.jsonl or metadata.csv, .txt and .caption files beside the pictures or in the shard; of several the one that the seed draws. With none, no caption is read."
        ),
        RecipeKey(
            "data.caption_columns", \.data.captionColumns, .columns,
            "Where captions of files come from and how often each is drawn: columns of the metadata, txt or caption for files beside the pictures, keys of a shard's .json; all of them alike by default."
        ),
        RecipeKey(
            "data.shuffle_buffer", \.data.shuffleBuffer, .optional(.whole(1...10_000_000)),
            "Samples of shards, as they are stored, among which the next one is drawn; 1000 by default."),
        RecipeKey(
            "data.workers", \.data.workers, .whole(1...256),
            changeable: "it only decides how many batches are made at a time",
            "Batches that are made at a time while a step runs, each on a thread of its own."),
    ]
}

extension ValueForm where Value == [CaptionColumn] {
    /// A share for each column, in the order of their names.
    static var columns: ValueForm {
        ValueForm(
            wanted: "a share for each column, such as {name: 1, text: 1}",
            read: { node in
                if node.isAbsent { return [] }
                guard case .mapping(let pairs) = node else { return nil }
                let share = ValueForm<Double>.number(1e-6...1e6)
                let columns = pairs.compactMap { key, value -> CaptionColumn? in
                    guard let name = key.scalar?.string, !name.isEmpty, let number = share.read(value) else {
                        return nil
                    }
                    return CaptionColumn(name, share: number)
                }
                guard columns.count == pairs.count, !columns.isEmpty else { return nil }
                return columns.sorted { $0.name < $1.name }
            },
            write: { columns in
                guard !columns.isEmpty else { return .absent }
                return Node(columns.map { (Node(text: $0.name), Node(number: $0.share)) })
            },
            allows: { $0.allSatisfy { (1e-6...1e6).contains($0.share) } && $0.count <= 64 })
    }
}

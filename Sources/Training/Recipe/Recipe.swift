import Diffusion
import Pipelines

/// Everything that decides what a training run does, as one value.
///
/// A recipe is written as YAML with the sections below; every key may be left out and then has the
/// value its property shows. The recipe with every key filled in is saved with the run and its
/// checkpoints. Unknown keys, wrong types and values out of range are refused (`RecipeError`).
public struct Recipe: Codable, Equatable, Sendable {
    /// Seed of the weights, the order of the data, the noise and the sample sheets.
    public var seed = 0
    /// What is learnt from.
    public var data = DataSection()
    /// The network.
    public var model = ModelSection()
    /// How data becomes noise, and what the network predicts.
    public var diffusion = DiffusionSection()
    /// The optimizer, its schedule, and what a run keeps.
    public var training = TrainingSection()
    /// How pictures are drawn while training, and how the result is judged.
    public var evaluation = EvaluationSection()

    /// A recipe with every default.
    public init() {}
}

extension Recipe {
    /// Where the pictures come from and what shape they are brought to.
    public struct DataSection: Codable, Equatable, Sendable {
        /// The form the data are in.
        public var kind = Kind.digits
        /// The idx file, or the folder of pictures; not used by `digits`, which come with the project.
        public var path: String?
        /// Which part is learnt from. Digits and idx files come in two parts; of a folder, every tenth picture of each
        /// class is held back.
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

        /// A form that data come in.
        public enum Kind: String, RecipeChoice {
            /// The 1,797 handwritten digits of 8×8 pixels that come with the project.
            case digits
            /// Pictures and labels in idx files, plain or gzip, as MNIST and Fashion-MNIST have them.
            case idx
            /// A folder of pictures with one folder a class, or with labels in `metadata.jsonl`; `imagefolder` is
            /// read, too.
            case folder

            /// The hub's word for a folder.
            public static let synonyms = ["imagefolder": Kind.folder]
        }

        /// A part of a data set.
        public enum Split: String, RecipeChoice {
            /// What is learnt from.
            case train
            /// What is held back to judge by.
            case evaluation
            /// Both.
            case all
        }

        /// The section with every default.
        public init() {}

        enum CodingKeys: String, CodingKey {
            case kind, path, split, size, channels, flip, background
        }
    }

    /// The forward process and the network's target.
    public struct DiffusionSection: Codable, Equatable, Sendable {
        /// The shape of the β table, under diffusers' names; `quadratic` and `cosine` are read, too.
        public var schedule = BetaSchedule.linear
        /// Number of noise levels in the table.
        public var trainSteps = 1000
        /// First β of the table (not used by `squaredcos_cap_v2`).
        public var betaStart = 1e-4
        /// Last β of the table (not used by `squaredcos_cap_v2`).
        public var betaEnd = 0.02
        /// What the network's output means, under diffusers' names; `noise`, `data` and `v` are read, too.
        public var prediction = Prediction.noise
        /// Part of the examples whose class is hidden, so that guidance has an unconditional branch
        /// (Ho and Salimans 2022, section 3.2). Only a class-conditional model uses it.
        public var labelDropout = 0.1
        /// Whether the table is rescaled so that its last level is pure noise (Lin et al. 2023, algorithm 1).
        public var zeroTerminalSNR = false

        /// The section with every default.
        public init() {}

        enum CodingKeys: String, CodingKey {
            case schedule
            case trainSteps = "train_steps"
            case betaStart = "beta_start"
            case betaEnd = "beta_end"
            case prediction
            case labelDropout = "label_dropout"
            case zeroTerminalSNR = "zero_terminal_snr"
        }

        /// Reads every key.
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            schedule = try values.choice(.schedule)
            trainSteps = try values.decode(Int.self, forKey: .trainSteps)
            betaStart = try values.decode(Double.self, forKey: .betaStart)
            betaEnd = try values.decode(Double.self, forKey: .betaEnd)
            prediction = try values.choice(.prediction)
            labelDropout = try values.decode(Double.self, forKey: .labelDropout)
            zeroTerminalSNR = try values.decode(Bool.self, forKey: .zeroTerminalSNR)
        }
    }

    /// How pictures are drawn from the model, while training and after it.
    public struct EvaluationSection: Codable, Equatable, Sendable {
        /// The solver, by the name that `--solver` takes.
        public var solver = Method.ddim
        /// Number of solver steps.
        public var steps = 50
        /// Scale of classifier-free guidance; 1 is the conditional branch alone.
        public var guidance = 1.0
        /// Pictures on a sample sheet.
        public var count = 64

        /// The section with every default.
        public init() {}

        enum CodingKeys: String, CodingKey {
            case solver, steps, guidance, count
        }

        /// Reads every key.
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            solver = try values.choice(.solver)
            steps = try values.decode(Int.self, forKey: .steps)
            guidance = try values.decode(Double.self, forKey: .guidance)
            count = try values.decode(Int.self, forKey: .count)
        }
    }
}

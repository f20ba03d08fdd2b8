/// Fréchet Inception distances that papers report for their own large models, as `evaluate --compare-paper` shows them.
///
/// They are the papers' figures, and nothing that this program has measured: their features are those of an Inception network,
/// their samples 50,000, their data and networks others, so no figure of `evaluate` can be compared with them. What can be
/// compared is how they change along a row or a column.
public struct PublishedDistances: Codable, Sendable, Equatable {
    /// What the figures are, in a sentence.
    public var note: String
    /// Each paper's.
    public var tables: [Table]

    /// Figures of one paper.
    public struct Table: Codable, Sendable, Equatable {
        /// The paper, and where in it.
        public var source: String
        /// The data, one for each group of columns.
        public var data: [String]
        /// What the columns of a group are; empty where each has one column.
        public var columns: [String]
        /// The figures.
        public var rows: [Row]
    }

    /// Figures of one way of sampling.
    public struct Row: Codable, Sendable, Equatable {
        /// What the paper calls it.
        public var name: String
        /// How this program samples in that way; absent where it does not.
        public var solver: String?
        /// Fréchet Inception distances, in the order of the table's data and columns.
        public var distances: [Double]
    }
}

extension PublishedDistances {
    /// Every table.
    public static let all = PublishedDistances(
        note:
            "figures of the papers, not of this program: Inception features, other data and other networks, so they do not compare with the figures measured here",
        tables: [implicitModels, guidedDiffusion])

    /// Song, Meng and Ermon 2021: five amounts of noise, S steps of a process of 1,000.
    static let implicitModels = Table(
        source: "Song et al. 2021 (arXiv:2010.02502), table 1: S steps of a process of 1,000",
        data: ["CIFAR-10 (32×32)", "CelebA (64×64)"], columns: ["S = 10", "20", "50", "100", "1000"],
        rows: [
            Row(
                name: "η = 0.0", solver: "--solver ddim --eta 0",
                distances: [13.36, 6.84, 4.67, 4.16, 4.04, 17.33, 13.73, 9.17, 6.53, 3.51]),
            Row(
                name: "η = 0.2", solver: "--solver ddim --eta 0.2",
                distances: [14.04, 7.11, 4.77, 4.25, 4.09, 17.66, 14.11, 9.51, 6.79, 3.64]),
            Row(
                name: "η = 0.5", solver: "--solver ddim --eta 0.5",
                distances: [16.66, 8.35, 5.25, 4.46, 4.29, 19.86, 16.06, 11.01, 8.09, 4.28]),
            Row(
                name: "η = 1.0", solver: "--solver ddim --eta 1",
                distances: [41.07, 18.36, 8.01, 5.78, 4.73, 33.12, 26.03, 18.48, 13.93, 5.98]),
            Row(
                name: "σ̂", solver: "--solver ddpm, variance_type fixed_large",
                distances: [367.43, 133.37, 32.72, 9.99, 3.17, 299.71, 183.83, 71.71, 45.20, 3.26]),
        ])

    /// Dhariwal and Nichol 2021: what guidance by a classifier gives beside BigGAN-deep.
    static let guidedDiffusion = Table(
        source: "Dhariwal and Nichol 2021 (arXiv:2105.05233), figures 1 and 6", data: ["ImageNet"],
        columns: [],
        rows: [
            Row(name: "BigGAN-deep, truncation 1.0 (256×256)", solver: nil, distances: [6.95]),
            Row(
                name: "guided diffusion (256×256)", solver: "--guidance-method classifier",
                distances: [4.59]),
            Row(
                name: "guided diffusion, the best model (512×512)", solver: "--guidance-method classifier",
                distances: [3.85]),
        ])
}

extension PublishedDistances {
    /// The tables as lines for a person.
    public var text: String {
        (["Fréchet Inception distances of papers", "(\(note))"] + tables.map(\.text))
            .joined(separator: "\n\n")
    }
}

extension PublishedDistances.Table {
    /// The table as lines for a person: a group of rows for each of the data.
    fileprivate var text: String {
        let width = max(1, columns.count)
        let groups = data.enumerated().map { index, name in
            let head = [[name] + (columns.isEmpty ? [""] : columns) + [""]]
            let lines = rows.map { row in
                [row.name] + row.distances[(index * width)..<((index + 1) * width)].map { "\($0)" }
                    + [row.solver ?? ""]
            }
            return AlignedText.table(head + lines, right: Set(1...width)).joined(separator: "\n")
        }
        return ([source] + groups).joined(separator: "\n")
    }
}

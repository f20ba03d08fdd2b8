import Datasets
import Diffusion
import Foundation
import Tensors

/// How well a classifier of noisy samples tells classes apart, by the amount of noise.
public struct ClassifierReport: Codable, Sendable, Equatable {
    /// One noise level.
    public struct Level: Codable, Sendable, Equatable {
        /// The share of the process's times that have less noise.
        public var share: Double
        /// The time, in the unit of the process.
        public var time: Double
        /// ln(α²/σ²); absent where it is infinite.
        public var logSNR: Double?
        /// The share of samples whose likeliest class is the right one.
        public var accuracy: Double
        /// The mean of −ln p(class), in nats.
        public var crossEntropy: Double

        enum CodingKeys: String, CodingKey {
            case share, time, accuracy
            case logSNR = "log_snr"
            case crossEntropy = "cross_entropy"
        }
    }

    /// The number of pictures, each at every level.
    public var pictures: Int
    /// The number of classes.
    public var classes: Int
    /// The mean accuracy of all levels.
    public var accuracy: Double
    /// The mean cross-entropy of all levels, in nats.
    public var crossEntropy: Double
    /// The levels, the least noise first.
    public var levels: [Level]

    enum CodingKeys: String, CodingKey {
        case pictures, classes, accuracy, levels
        case crossEntropy = "cross_entropy"
    }

    /// Measures a classifier at the middles of equal shares of its process's times.
    /// - Parameters:
    ///   - objective: what it was trained on.
    ///   - dataset: pictures with classes.
    ///   - indices: the numbers of the pictures that are looked at.
    ///   - device: where the classifier is.
    ///   - seed: of the noise.
    ///   - classifier: noisy pictures and times to a number for each class.
    /// - Throws: `EvaluationError` where the data have no classes; what the data set throws; the error of a tensor.
    public init(
        _ objective: ClassificationObjective, on dataset: any Dataset, indices: [Int], device: Device = .cpu,
        seed: UInt64 = 0, levelCount: Int = 8, classifier: @escaping Roles.Network
    ) throws {
        guard let classes = dataset.classCount, !indices.isEmpty else {
            throw EvaluationError("the data have no pictures with classes: a classifier is judged by those")
        }
        let generator = RandomGenerator(seed: seed)
        let shares = RunningObjective.evenShares(levelCount)
        var sums = [(right: Double, entropy: Double)](repeating: (0, 0), count: levelCount)
        for start in stride(from: 0, to: indices.count, by: Self.batchSize) {
            let batch = try dataset.batch(at: Array(indices[start...].prefix(Self.batchSize)))
            let example = Example(data: batch.data.sent(to: device), labels: batch.labels)
            for (index, share) in shares.enumerated() {
                let times = Array(repeating: objective.times.time(atShare: share), count: example.count)
                let outcome = try inference {
                    try objective.outcome(example, Roles(student: classifier), at: times, generator)
                }
                sums[index].right += try outcome.isRight.sum().item()
                sums[index].entropy += try outcome.crossEntropy.sum().item()
            }
        }
        let count = Double(indices.count)
        levels = zip(shares, sums).map { share, sum in
            let time = objective.times.time(atShare: share)
            let logSNR = objective.process.schedule.level(at: time).logSNR
            return Level(
                share: share, time: time, logSNR: logSNR.isFinite ? logSNR : nil, accuracy: sum.right / count,
                crossEntropy: sum.entropy / count)
        }
        (pictures, self.classes) = (indices.count, classes)
        accuracy = levels.reduce(0) { $0 + $1.accuracy } / Double(levelCount)
        crossEntropy = levels.reduce(0) { $0 + $1.crossEntropy } / Double(levelCount)
    }

    /// Pictures that pass through at once.
    private static let batchSize = 250
}

extension ClassifierReport {
    /// The figures as a table for a person.
    public var text: String {
        let head = ["share of times", "log-SNR", "accuracy", "cross-entropy"]
        let rows =
            levels.map { level in
                [
                    String(format: "%.4f", level.share),
                    level.logSNR.map { String(format: "%.2f", $0) } ?? "none",
                    String(format: "%.1f %%", 100 * level.accuracy),
                    String(format: "%.3f", level.crossEntropy),
                ]
            } + [
                [
                    "all", "", String(format: "%.1f %%", 100 * accuracy),
                    String(format: "%.3f", crossEntropy),
                ]
            ]
        let lines = AlignedText.table([head] + rows, right: [0, 1, 2, 3], leastWidth: 9)
        let chance = String(format: "%.1f %%", 100 / Double(classes))
        return lines.joined(separator: "\n")
            + "\n(\(pictures) pictures at every level; guessing among \(classes) classes reaches \(chance))"
    }
}

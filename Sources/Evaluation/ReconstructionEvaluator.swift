import Datasets
import Networks
import Tensors

/// Compares what an autoencoder makes of pictures with the pictures.
public struct ReconstructionEvaluator {
    private let classifier: PictureClassifier?

    /// - Parameter training: labelled pictures, from which the feature space of a Fréchet distance is learned; where they
    ///   have no classes, there is no such distance.
    /// - Throws: what the data set throws.
    public init(training: some Dataset, seed: UInt64 = 0) throws {
        let hasClasses = (training.classCount ?? 0) > 1
        classifier =
            hasClasses
            ? try PictureClassifier(
                training: training, seed: seed, epochs: PictureClassifier.epochs(for: training.count)) : nil
    }

    /// Passes the pictures of a data set there and back, a batch at a time.
    /// - Parameters:
    ///   - count: at most so many, taken evenly from the data.
    ///   - latents: numbers in the latents of one picture.
    ///   - reconstruct: pictures `[batch, channels, height, width]` in −1 … 1 to the same again, and the use of the
    ///     codebook where there is one.
    /// - Throws: `EvaluationError` where there are no pictures; what the data set throws.
    public func report(
        of dataset: some Dataset, count: Int, latents: Int,
        _ reconstruct: (Tensor) throws -> (pictures: Tensor, use: CodebookUse?)
    ) throws -> ReconstructionReport {
        let chosen = dataset.evenlySpread(count)
        let count = chosen.count
        guard count > 0 else {
            throw EvaluationError(
                "no picture of the data is held back from training: there is none to judge by")
        }
        var (ratios, similarities): ([Double], [Double]) = ([], [])
        var (originals, again): ([Tensor], [Tensor]) = ([], [])
        var use: CodebookUse?
        for start in stride(from: 0, to: count, by: 64) {
            let pictures = try dataset.batch(at: Array(chosen[start...].prefix(64))).data
            let (reconstructed, used) = try reconstruct(pictures)
            // A picture has no numbers beyond black and white.
            let result = reconstructed.to(.cpu).to(.float32).clamped(to: -1...1)
            ratios += try PeakSignalToNoise.decibels(pictures, result).clamped(upTo: 100).array(
                of: Double.self)
            similarities += try StructuralSimilarity.mean(pictures, result).array(of: Double.self)
            if let used { use = use.map { $0 + used } ?? used }
            guard let classifier else { continue }
            originals.append(classifier.features(pictures))
            again.append(classifier.features(result))
        }
        var report = ReconstructionReport(
            pictures: count, compression: Double(latents) / Double(dataset.exampleShape.elementCount),
            peakSignalToNoise: mean(ratios), structuralSimilarity: mean(similarities))
        if let use {
            report.codes = use.counts.elementCount
            report.codebookUse = try use.usedShare.item()
            report.perplexity = try use.perplexity.item()
        }
        guard classifier != nil, count >= 2 * Evaluator.leastSamples else { return report }
        let real = concatenated(originals)
        report.features = "hidden layer of a classifier trained on the data"
        report.frechetDistance = try FeatureStatistics(features: concatenated(again)).frechetDistance(
            to: FeatureStatistics(features: real))
        let halves = (0..<2).map { FeatureStatistics(features: real.strided(from: $0, by: 2, of: 0)) }
        report.frechetDistanceOfHalves = try halves[0].frechetDistance(to: halves[1])
        return report
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
}

import Datasets
import Tensors

/// Judges pictures that were drawn from captions by the pictures that have these captions.
public struct CaptionEvaluator {
    /// The number of candidates among which the right one is looked for, where there are as many.
    public static let candidateCount = 100

    private let pictures: Tensor
    private let captions: [String]
    private let evaluator: Evaluator?
    private let looks: Tensor
    private let small: Tensor
    private let nearestOfData: BootstrapInterval

    /// Looks at the data.
    /// - Parameters:
    ///   - pictures: `[count, channels, height, width]` in −1 … 1, two at least.
    ///   - captions: one of each.
    ///   - evaluator: measures by the classifier; `nil` where the data are too few for one.
    /// - Throws: the error that a tensor carries.
    public init(pictures: Tensor, captions: [String], evaluator: Evaluator?) throws {
        precondition(pictures.shape[0] == captions.count && captions.count > 1, "a caption of each is needed")
        (self.pictures, self.captions, self.evaluator) = (pictures, captions, evaluator)
        looks = PictureLook.vectors(of: pictures)
        small = Self.pixels(pictures)
        let distances = small.distances(to: small)
        // The nearest of a picture is the picture itself.
        let nearest = try distances.sorted(1).values.slice(1..<2, of: 1).flattened().array(of: Double.self)
        nearestOfData = Self.median(nearest)
    }

    /// How a CLIP judges pictures by captions: those of the data are looked at once, whatever number of samples it judges.
    public struct ContrastiveJudge {
        fileprivate let pictures: (Tensor) throws -> Tensor
        /// The vectors of all captions, `[width, captions]`.
        fileprivate let texts: Tensor
        /// The places of the right captions for the pictures of the data.
        fileprivate let ranksOfData: [Int]
        /// How alike those pictures and their own captions are.
        fileprivate let scoreOfData: BootstrapInterval
    }

    /// A judge of samples that are drawn from the captions of some pictures.
    /// - Parameters:
    ///   - rows: the pictures whose captions samples are drawn from.
    ///   - pictures: the vectors of pictures, each of length 1.
    ///   - texts: those of texts.
    /// - Throws: what `pictures` and `texts` throw.
    public func judge(
        of rows: [Int], pictures: @escaping (Tensor) throws -> Tensor, texts: ([String]) throws -> Tensor
    ) throws -> ContrastiveJudge {
        let texts = try texts(captions).transposed()
        let own = Tensor(rows.map(Int64.init))
        let real = try pictures(self.pictures.gathered(own)).matmul(texts)
        return ContrastiveJudge(
            pictures: pictures, texts: texts,
            ranksOfData: try ranks(-real, rows, among: candidates(for: rows)),
            scoreOfData: try Self.score(real, own))
    }

    /// Compares pictures with those of their captions.
    /// - Parameters:
    ///   - samples: `[samples, channels, height, width]` in −1 … 1.
    ///   - rows: the picture whose caption each was drawn from.
    ///   - labels: the class of each, `[samples]`; `nil` without.
    ///   - contrastive: a CLIP, as `judge` makes it of the same rows; `nil` without.
    /// - Throws: `EvaluationError` where samples have another shape; what `contrastive` throws.
    public func report(
        samples: Tensor, of rows: [Int], labels: Tensor?, contrastive: ContrastiveJudge?
    ) throws -> CaptionReport {
        let candidates = self.candidates(for: rows)
        let lookRanks = try ranks(
            PictureLook.vectors(of: samples).distances(to: looks), rows, among: candidates)
        let nearest = try Self.pixels(samples).distances(to: small).min([1]).array(of: Double.self)
        var report = CaptionReport(
            samples: rows.count, candidates: candidates.first?.count ?? 0, look: .init(ranks: lookRanks),
            nearest: Self.median(nearest), nearestOfData: nearestOfData)
        if let contrastive {
            let drawn = try contrastive.pictures(samples).matmul(contrastive.texts)
            report.contrastive = .init(ranks: try ranks(-drawn, rows, among: candidates))
            report.contrastiveOfData = .init(ranks: contrastive.ranksOfData)
            report.score = try Self.score(drawn, Tensor(rows.map(Int64.init)))
            report.scoreOfData = contrastive.scoreOfData
        }
        if let evaluator {
            report.classifier = try evaluator.report(samples: samples, labels: labels)
            report.frechetDistance = try evaluator.frechetDistance(of: samples)
        }
        return report
    }

    /// The mean of what each row has for its own caption, times 100.
    private static func score(_ cosines: Tensor, _ own: Tensor) throws -> BootstrapInterval {
        let values = try cosines.to(own.device).taken(own.unsqueezed(1), along: 1).flattened()
            .array(of: Double.self)
        return BootstrapInterval(count: values.count) { rows in
            100 * rows.reduce(0) { $0 + values[$1] } / Double(rows.count)
        }
    }

    /// For each row the numbers of as many candidates as there are, itself the first; the others have other captions.
    private func candidates(for rows: [Int]) -> [[Int]] {
        var generator = SplitMix64(seed: 0)
        let most = min(Self.candidateCount, Set(captions).count)
        return rows.map { row in
            var (chosen, seen) = ([row], Set([captions[row]]))
            while chosen.count < most {
                let other = Int.random(in: 0..<captions.count, using: &generator)
                if seen.insert(captions[other]).inserted { chosen.append(other) }
            }
            return chosen
        }
    }

    /// The place of the right candidate of each sample by its distances; equal ones count against it.
    private func ranks(_ distances: Tensor, _ rows: [Int], among candidates: [[Int]]) throws -> [Int] {
        let all = try distances.to(.float32).array(of: Float.self)
        return rows.indices.map { sample in
            let own = candidates[sample].map { all[sample * captions.count + $0] }
            return own.filter { $0 <= own[0] }.count
        }
    }

    /// Rows whose distance is the root mean square of 32×32 pixels in 1/255.
    private static func pixels(_ pictures: Tensor) -> Tensor {
        let flat = PictureLook.blurred(pictures, to: 32).flattened(from: 1)
        return flat * (127.5 / Double(flat.shape[1]).squareRoot())
    }

    private static func median(_ values: [Double]) -> BootstrapInterval {
        BootstrapInterval(count: values.count) { rows in
            let sorted = rows.map { values[$0] }.sorted()
            return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        }
    }
}

import Foundation

/// How pictures that were drawn from captions compare with the pictures that have these captions.
public struct CaptionReport: Codable, Sendable, Equatable {
    /// How often the right one of some candidates is found.
    public struct Found: Codable, Sendable, Equatable {
        /// The share of pictures for which the right one is first.
        public var first: BootstrapInterval
        /// The median of its places, 1 being the first.
        public var medianRank: BootstrapInterval

        enum CodingKeys: String, CodingKey {
            case first
            case medianRank = "median_rank"
        }

        /// Measures places, the first being 1.
        init(ranks: [Int]) {
            first = BootstrapInterval(count: ranks.count) { rows in
                Retrieval(ranks: rows.map { ranks[$0] }).recallAt1
            }
            medianRank = BootstrapInterval(count: ranks.count) { rows in
                Retrieval(ranks: rows.map { ranks[$0] }).medianRank
            }
        }
    }

    /// The number of pictures that were drawn.
    public var samples: Int
    /// The number of candidates.
    public var candidates: Int
    /// Finding the picture of the caption by how pictures look from afar, with nothing learnt.
    public var look: Found
    /// Finding the caption of a drawn picture by a CLIP; absent without one.
    public var contrastive: Found?
    /// The same of the real pictures: the most that can be expected.
    public var contrastiveOfData: Found?
    /// The mean cosine of a drawn picture and its caption by the CLIP, times 100; absent without one.
    /// Source: Hessel et al. 2021 (arXiv:2104.08718), section 3, without its factor 2.5 and its cut at 0.
    public var score: BootstrapInterval?
    /// The same of the real pictures.
    public var scoreOfData: BootstrapInterval?
    /// The median distance of a drawn picture to the nearest picture of the data, root mean square in 1/255 at 32×32.
    public var nearest: BootstrapInterval
    /// The median distance of a picture of the data to the nearest other one.
    public var nearestOfData: BootstrapInterval
    /// The Fréchet distance to the data; absent where there are too few pictures.
    public var frechetDistance: BootstrapInterval?
    /// The same between halves of the data, of noise, and by the classes; absent likewise.
    public var classifier: EvaluationReport?

    enum CodingKeys: String, CodingKey {
        case samples, candidates, look, contrastive, nearest, classifier
        case contrastiveOfData = "contrastive_of_data"
        case score = "clip_score"
        case scoreOfData = "clip_score_of_data"
        case nearestOfData = "nearest_of_data"
        case frechetDistance = "frechet_distance"
    }
}

extension CaptionReport {
    /// The figures as a table for a person.
    public var text: String {
        var rows: [(String, BootstrapInterval)] = [
            ("right picture first of \(candidates), by its look", look.first),
            ("  its median place", look.medianRank),
        ]
        for (name, found) in [("a drawn picture", contrastive), ("a real one", contrastiveOfData)] {
            guard let found else { continue }
            rows.append(("right caption of \(name) first of \(candidates), by the CLIP", found.first))
            rows.append(("  its median place", found.medianRank))
        }
        if let score { rows.append(("cosine of drawn pictures and captions by the CLIP, times 100", score)) }
        if let scoreOfData { rows.append(("  the same of real ones", scoreOfData)) }
        rows.append(("distance to the nearest picture of the data", nearest))
        rows.append(("  the same between pictures of the data", nearestOfData))
        if let frechetDistance { rows.append(("Fréchet distance to the data", frechetDistance)) }
        let table = AlignedText.table(
            [["\(samples) pictures", "", "95 % interval"]]
                + rows.map { label, found in
                    [
                        label, Self.rounded(found.value),
                        "\(Self.rounded(found.low)) to \(Self.rounded(found.high))",
                    ]
                }, right: [1])
        return (table + (classifier.map { ["", $0.text] } ?? [])).joined(separator: "\n")
    }

    private static func rounded(_ value: Double) -> String { String(format: "%.3f", value) }
}

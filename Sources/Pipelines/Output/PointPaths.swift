import Diffusion
import Foundation
import Pictures
import Tensors

/// The way of the first samples from noise to data, in the plane.
///
/// Samples are divided by √(α² + σ²), so that noise and data of unit spread fill the same part of it.
struct PointPaths {
    private static let most = 200
    private var places: [[(x: Double, y: Double)]] = []

    /// Notes where the samples of a step are.
    mutating func add(_ progress: SamplingProgress) throws {
        let scale = hypot(progress.level.alpha, progress.level.sigma)
        let count = min(progress.sample.shape[0], Self.most)
        let values = try (progress.sample.slice(0..<count, of: 0).to(.cpu).to(.float64) / scale)
            .array(of: Double.self)
        if places.isEmpty { places = Array(repeating: [], count: count) }
        for index in places.indices { places[index].append((values[2 * index], values[2 * index + 1])) }
    }

    /// A line for each sample, a dot where it ends.
    func picture(title: String) -> Picture {
        let lines = places.map { way in
            Plot.Series(x: way.map(\.x), y: way.map(\.y), opacity: 0.35, size: 1.5, colour: Self.colour)
        }
        let ends = places.compactMap(\.last)
        let dots = Plot.Series(
            x: ends.map(\.x), y: ends.map(\.y), style: .dots, size: 5, colour: Self.endColour)
        return Plot(lines + [dots], title: title, hasEqualSteps: true).picture(width: 720, height: 720)
    }

    private static let colour = Plot.Colour(red: 0, green: 114, blue: 178)
    private static let endColour = Plot.Colour(red: 213, green: 94, blue: 0)
}

import Pictures
import Tensors

/// Sampled points as dots in the plane of their first two numbers; those of one number lie on a line.
package struct PointSheet {
    private let places: [(x: Double, y: Double)]

    /// The first of the points `[count, dimension]`.
    package init(_ samples: Tensor) throws {
        let dimension = samples.shape[1]
        let values = try samples.to(.cpu).array(of: Double.self)
        places = (0..<samples.shape[0]).map {
            (values[$0 * dimension], dimension > 1 ? values[$0 * dimension + 1] : 0)
        }
    }

    /// The picture.
    package func picture() -> Picture {
        let dots = Plot.Series(x: places.map(\.x), y: places.map(\.y), style: .dots, size: 4)
        return Plot([dots], hasEqualSteps: true).picture(width: 480, height: 480)
    }

    /// All of them in a plot of their own.
    func cloud(title: String) -> Picture {
        let cloud = Plot.Series(x: places.map(\.x), y: places.map(\.y), style: .dots, opacity: 0.6)
        return Plot([cloud], title: title, hasEqualSteps: true).picture(width: 720, height: 720)
    }
}

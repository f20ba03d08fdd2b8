import Tensors

/// What pictures look like from afar, by which one finds another with nothing learnt: the picture blurred to 12×12, and the
/// mean and the deviation of each colour over all of it, each of the three with the same weight.
package enum PictureLook {
    /// `[count, features]` of pictures `[count, channels, height, width]` in −1 … 1. The squared distance of two rows is the
    /// sum of the mean squared differences of blurred pixels, of means and of deviations.
    package static func vectors(of pictures: Tensor) -> Tensor {
        let small = blurred(pictures, to: 12).flattened(from: 1)
        let flat = pictures.flattened(from: 2)
        let parts = [small, flat.mean([2]), flat.variance([2], correction: 0).squareRoot()]
        return concatenated(parts.map { $0 / Double($0.shape[1]).squareRoot() }, along: 1)
    }

    /// Pictures of so many pixels a side, each the mean of what it covers.
    package static func blurred(_ pictures: Tensor, to size: Int) -> Tensor {
        let (height, width) = (pictures.shape[2], pictures.shape[3])
        let rows = means(of: height, into: size), columns = means(of: width, into: size)
        return rows.matmul(pictures).matmul(columns.transposed())
    }

    /// `[size, count]`: the share of each of `count` pixels in each of `size` larger ones.
    private static func means(of count: Int, into size: Int) -> Tensor {
        let width = Double(count) / Double(size)
        let shares = (0..<size).flatMap { place in
            (0..<count).map { pixel in
                let low = max(Double(place) * width, Double(pixel))
                let high = min(Double(place + 1) * width, Double(pixel + 1))
                return Float(max(0, high - low) / width)
            }
        }
        return Tensor(shares, shape: [size, count])
    }
}

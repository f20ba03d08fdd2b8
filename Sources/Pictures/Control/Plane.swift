import Foundation

/// Numbers of all pixels of one channel, row by row from the top.
struct Plane: Equatable, Sendable {
    let width: Int
    let height: Int
    var values: [Double]

    /// What lies beyond the edges for a filter.
    enum Border {
        /// The picture in a mirror whose edge lies between pixels: `c b a | a b c | c b a`.
        case mirrored
        /// The pixel at the edge.
        case nearest
        /// Nothing.
        case zero
    }

    /// The direction that a filter runs along.
    enum Axis {
        case rows
        case columns
    }

    subscript(x: Int, y: Int) -> Double { values[y * width + x] }

    /// A plane of the same size whose values follow from two others' one by one.
    func with(_ other: Plane, _ body: (Double, Double) -> Double) -> Plane {
        Plane(width: width, height: height, values: zip(values, other.values).map(body))
    }

    /// A plane of one value.
    func filled(with value: Double) -> Plane {
        Plane(width: width, height: height, values: Array(repeating: value, count: values.count))
    }

    // MARK: Filters

    /// The plane correlated with weights that are even or odd around their middle.
    ///
    /// The order of the sums is that of SciPy's `correlate1d`, from the ends of the kernel to its middle, so that equal
    /// neighbourhoods give equal numbers in both, and edges are found at the same pixels.
    func correlated(_ kernel: Kernel, along axis: Axis, _ border: Border) -> Plane {
        let (count, lines) = axis == .rows ? (width, height) : (height, width)
        let (step, lineStep) = axis == .rows ? (1, width) : (width, 1)
        let radius = kernel.sides.count
        let sources = (-radius..<(count + radius)).map { Self.source($0, of: count, border) }
        var (result, line) = (values, [Double](repeating: 0, count: count + 2 * radius))
        for number in 0..<lines {
            let start = number * lineStep
            for (place, source) in sources.enumerated() {
                line[place] = source.map { values[start + $0 * step] } ?? 0
            }
            for place in 0..<count {
                let middle = place + radius
                var sum = line[middle] * kernel.middle
                for distance in stride(from: radius, to: 0, by: -1) {
                    let (before, after) = (line[middle - distance], line[middle + distance])
                    sum += (kernel.isOdd ? before - after : before + after) * kernel.sides[distance - 1]
                }
                result[start + place * step] = sum
            }
        }
        return Plane(width: width, height: height, values: result)
    }

    /// The pixel of a line that stands at a place within or beyond it; `nil` for none.
    private static func source(_ place: Int, of count: Int, _ border: Border) -> Int? {
        switch border {
        case .zero: return (0..<count).contains(place) ? place : nil
        case .nearest: return min(max(place, 0), count - 1)
        case .mirrored:
            let folded = ((place % (2 * count)) + 2 * count) % (2 * count)
            return folded < count ? folded : 2 * count - 1 - folded
        }
    }

    /// The plane under a Gaussian of a standard deviation in pixels, cut off at four of them.
    func blurred(_ deviation: Double, _ border: Border) -> Plane {
        guard deviation > 0 else { return self }
        let kernel = Kernel(gaussian: deviation)
        return correlated(kernel, along: .columns, border).correlated(kernel, along: .rows, border)
    }

    /// How fast values grow along an axis, smoothed across it: Sobel's kernels, [−1 0 1] by [1 2 1].
    func slope(along axis: Axis) -> Plane {
        correlated(Kernel(middle: 0, sides: [-1], isOdd: true), along: axis, .mirrored)
            .correlated(
                Kernel(middle: 2, sides: [1]), along: axis == .rows ? .columns : .rows, .mirrored)
    }
}

/// The weights of a filter along a line.
struct Kernel {
    /// The weight of the pixel itself.
    var middle: Double
    /// The weights of the pixels before it, the nearest first; those after it have the same, or the opposite.
    var sides: [Double]
    var isOdd = false

    init(middle: Double, sides: [Double], isOdd: Bool = false) {
        (self.middle, self.sides, self.isOdd) = (middle, sides, isOdd)
    }

    /// exp(−x²/2σ²), brought to the sum 1.
    init(gaussian deviation: Double) {
        let radius = Int(4 * deviation + 0.5)
        let shares = (0...radius).map { exp(-0.5 / (deviation * deviation) * Double($0 * $0)) }
        let total = shares[0] + 2 * shares.dropFirst().reduce(0, +)
        self.init(middle: shares[0] / total, sides: shares.dropFirst().map { $0 / total })
    }
}

extension Picture {
    /// One channel from 0 to 1.
    func plane(_ channel: Int) -> Plane {
        Plane(
            width: width, height: height,
            values: stride(from: channel, to: pixels.count, by: channels).map {
                Double(pixels[$0]) * (1 / 255)
            })
    }

    /// The colours from 0 to 1, without transparency.
    var planes: [Plane] {
        let opaque = channels == 4 ? converted(toChannels: 3) : self
        return (0..<opaque.channels).map(opaque.plane)
    }

    /// How bright pixels are, from 0 to 1: 0.2125 R + 0.7154 G + 0.0721 B, the luminance of today's screens; of a grey picture
    /// the grey itself.
    /// Source: ITU-R BT.709 with the digits of scikit-image's `rgb2gray`.
    var luminance: Plane {
        let planes = planes
        guard planes.count == 3 else { return planes[0] }
        let values = planes[0].values.indices.map {
            0.2125 * planes[0].values[$0] + 0.7154 * planes[1].values[$0] + 0.0721 * planes[2].values[$0]
        }
        return Plane(width: width, height: height, values: values)
    }
}

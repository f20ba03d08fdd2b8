import Foundation

/// How the pixels of a resized picture are made from those of the original.
public enum ResizeFilter: String, Hashable, Sendable, Codable, CaseIterable {
    /// The pixel under the middle of the new one.
    case nearest
    /// The mean of the pixels that the new one covers.
    case box
    /// A triangle, one pixel to each side.
    case bilinear
    /// A sinc under Hamming's window, one pixel to each side: sharper than the triangle, and as quick.
    case hamming
    /// Keys' cubic with a = −1/2, two pixels to each side (Keys 1981, equation 15).
    case bicubic
    /// Lanczos' windowed sinc, three pixels to each side.
    case lanczos

    /// How far the filter reaches, in pixels of the coarser grid.
    var support: Double {
        switch self {
        case .nearest: 0
        case .box: 0.5
        case .bilinear, .hamming: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    /// The filter's value at a distance `x`, not normalised.
    func weight(_ x: Double) -> Double {
        let d = abs(x)
        switch self {
        case .nearest: return 0
        // Half open, so that a pixel on the border of two counts once.
        case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
        case .bilinear: return d < 1 ? 1 - d : 0
        case .hamming: return d < 1 ? sinc(d) * (0.54 + 0.46 * cos(d * .pi)) : 0
        case .bicubic:
            let a = -0.5
            if d < 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
            return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0
        case .lanczos: return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0
        }
    }
}

/// sin(πx) / (πx).
private func sinc(_ x: Double) -> Double {
    x == 0 ? 1 : sin(x * .pi) / (x * .pi)
}

extension Picture {
    /// The picture at another size.
    ///
    /// When a side shrinks, the filter widens by the same factor, so that nothing is skipped
    /// (antialiasing). The result equals that of Pillow 13's `resize` byte for byte: weights are rounded to
    /// 22-bit fixed point, and each of the two passes is rounded to 8 bits. Rows are filtered first, unless
    /// the height shrinks by more than twice the pixels that the width does (earlier Pillows: always rows
    /// first). Colours with alpha are filtered premultiplied, except by `.nearest`.
    ///
    /// - Precondition: The sizes are positive.
    public func resized(width: Int, height: Int, filter: ResizeFilter = .lanczos) -> Picture {
        precondition(width > 0 && height > 0, "a picture resized to \(width)×\(height)")
        if width == self.width && height == self.height { return self }
        if filter == .nearest {
            let columns = nearestPositions(from: self.width, to: width)
            let rows = nearestPositions(from: self.height, to: height)
            return mapped(width: width, height: height) { (columns[$0], rows[$1]) }
        }
        var result = channels == 4 ? premultiplied() : self
        let columnsFirst = height < self.height && self.height - height > 2 * (self.width - width)
        if columnsFirst { result = result.filteredColumns(to: height, filter) }
        if width != self.width { result = result.filteredRows(to: width, filter) }
        if height != result.height { result = result.filteredColumns(to: height, filter) }
        return channels == 4 ? result.unpremultiplied() : result
    }

    /// Resizes so that the picture just covers a rectangle, then cuts out the middle.
    ///
    /// The longer side is rounded down and the cut is centred half to even, as torchvision's `Resize` and
    /// `CenterCrop` do it.
    public func filling(width: Int, height: Int, filter: ResizeFilter = .lanczos) -> Picture {
        let covering = Covering(of: (self.width, self.height), over: (width, height))
        return resized(width: covering.width, height: covering.height, filter: filter)
            .cropped(x: covering.left, y: covering.top, width: width, height: height)
    }

    /// A picture resized until it just covers a rectangle, and where the middle that is cut out begins.
    package struct Covering {
        /// The size of the resized picture.
        package let width: Int, height: Int
        /// The corner of the part that is cut out.
        package let left: Int, top: Int

        package init(of size: (width: Int, height: Int), over target: (width: Int, height: Int)) {
            let byWidth = target.width * size.height >= target.height * size.width
            width = byWidth ? target.width : max(target.width, target.height * size.width / size.height)
            height = byWidth ? max(target.height, target.width * size.height / size.width) : target.height
            func middle(_ whole: Int, _ part: Int) -> Int {
                Int((Double(whole - part) / 2).rounded(.toNearestOrEven))
            }
            (left, top) = (middle(width, target.width), middle(height, target.height))
        }
    }

    private func filteredRows(to newWidth: Int, _ filter: ResizeFilter) -> Picture {
        let weights = ResizeWeights(from: width, to: newWidth, filter)
        var result = [UInt8](repeating: 0, count: newWidth * height * channels)
        pixels.withUnsafeBufferPointer { source in
            for x in 0..<newWidth {
                weights.withTaps(of: x) { start, taps in
                    for y in 0..<height {
                        for channel in 0..<channels {
                            var sum = ResizeWeights.half
                            var position = (y * width + start) * channels + channel
                            for weight in taps {
                                sum &+= Int32(source[position]) &* weight
                                position += channels
                            }
                            result[(y * newWidth + x) * channels + channel] = ResizeWeights.level(sum)
                        }
                    }
                }
            }
        }
        return Picture(width: newWidth, height: height, channels: channels, pixels: result)
    }

    private func filteredColumns(to newHeight: Int, _ filter: ResizeFilter) -> Picture {
        let weights = ResizeWeights(from: height, to: newHeight, filter)
        let rowLength = width * channels
        var result: [UInt8] = []
        result.reserveCapacity(rowLength * newHeight)
        var sums = [Int32](repeating: 0, count: rowLength)
        pixels.withUnsafeBufferPointer { source in
            for y in 0..<newHeight {
                weights.withTaps(of: y) { start, taps in
                    for x in 0..<rowLength { sums[x] = ResizeWeights.half }
                    // Whole rows at a time, so that the processor adds many values at once.
                    for (tap, weight) in taps.enumerated() {
                        let row = (start + tap) * rowLength
                        for x in 0..<rowLength { sums[x] &+= Int32(source[row + x]) &* weight }
                    }
                }
                result.append(contentsOf: sums.lazy.map(ResizeWeights.level))
            }
        }
        return Picture(width: width, height: newHeight, channels: channels, pixels: result)
    }

    /// Colours multiplied by alpha, rounded.
    private func premultiplied() -> Picture {
        var copy = self
        for pixel in stride(from: 0, to: pixels.count, by: 4) {
            let alpha = Int(pixels[pixel + 3])
            for channel in pixel..<(pixel + 3) {
                copy.pixels[channel] = UInt8((Int(pixels[channel]) * alpha + 127) / 255)
            }
        }
        return copy
    }

    /// Colours divided by alpha, rounded down; left alone where alpha is 0.
    private func unpremultiplied() -> Picture {
        var copy = self
        for pixel in stride(from: 0, to: pixels.count, by: 4) {
            let alpha = Int(pixels[pixel + 3])
            guard alpha != 0 && alpha != 255 else { continue }
            for channel in pixel..<(pixel + 3) {
                copy.pixels[channel] = UInt8(min(255, Int(pixels[channel]) * 255 / alpha))
            }
        }
        return copy
    }
}

/// For each new pixel of a row or column, the old pixels that it is made of and their weights.
private struct ResizeWeights {
    /// Eight bits for the result and two of head room leave 22 of 32 for the fraction.
    static let fractionBits = 22

    /// The first old pixel of each new one.
    private var starts: [Int] = []
    /// How many old pixels each new one is made of.
    private var counts: [Int] = []
    /// Weights in fixed point, `width` to a new pixel.
    private var weights: [Int32] = []
    private let width: Int

    init(from oldSize: Int, to newSize: Int, _ filter: ResizeFilter) {
        let scale = Double(oldSize) / Double(newSize)
        let stretch = max(scale, 1)
        let support = filter.support * stretch
        width = Int(support.rounded(.up)) * 2 + 1
        weights = [Int32](repeating: 0, count: newSize * width)
        for new in 0..<newSize {
            let centre = (Double(new) + 0.5) * scale
            let start = max(0, Int(centre - support + 0.5))
            let end = min(oldSize, Int(centre + support + 0.5))
            let values = (start..<end).map { filter.weight((Double($0) - centre + 0.5) * (1 / stretch)) }
            let total = values.reduce(0, +)
            starts.append(start)
            counts.append(values.count)
            for (index, value) in values.enumerated() {
                let exact = (total == 0 ? value : value / total) * Double(1 << ResizeWeights.fractionBits)
                // Half away from zero.
                weights[new * width + index] = Int32(exact < 0 ? exact - 0.5 : exact + 0.5)
            }
        }
    }

    /// Gives the first old pixel of a new one and the weights from there on.
    @inline(__always)
    func withTaps(of index: Int, _ body: (_ start: Int, _ taps: UnsafeBufferPointer<Int32>) -> Void) {
        weights.withUnsafeBufferPointer {
            let first = index * width
            body(starts[index], UnsafeBufferPointer(rebasing: $0[first..<(first + counts[index])]))
        }
    }

    /// One half in fixed point, from which a sum starts so that it is rounded.
    static let half = Int32(1) << (fractionBits - 1)

    /// The pixel of a sum in fixed point. (The sums stay far below 2³¹, as all weights of a pixel add up to 1
    /// and their magnitudes to less than 2.)
    @inline(__always)
    static func level(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> fractionBits) }
}

/// The old pixel under the middle of each new one.
///
/// Positions are summed step by step as Pillow sums them, so that ties fall to the same side.
private func nearestPositions(from oldSize: Int, to newSize: Int) -> [Int] {
    let step = Double(oldSize) / Double(newSize)
    var position = step * 0.5
    return (0..<newSize).map { _ in
        defer { position += step }
        return min(oldSize - 1, Int(position))
    }
}

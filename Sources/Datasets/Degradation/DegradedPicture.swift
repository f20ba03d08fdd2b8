import Foundation
import Pictures
import Tensors

/// A picture on its way through a degradation: `[1, channels, height, width]` in 0 … 1.
struct DegradedPicture {
    private let picture: Tensor
    private let factor: Int
    private let draw: PictureDraw

    init(_ picture: Tensor, _ factor: Int, _ generator: RandomGenerator) {
        (self.picture, self.factor, draw) = (picture, factor, PictureDraw(generator: generator))
    }

    /// The size that a pass resizes from, and that the last one ends in.
    private var height: Int { picture.shape[2] / factor }
    private var width: Int { picture.shape[3] / factor }

    /// The result of all passes, of 256 levels.
    func degraded(by degradation: Degradation) throws -> Tensor {
        var x = picture
        for (index, pass) in degradation.passes.enumerated() {
            // The first pass resizes the large picture, a later one the small one that is wanted.
            let base = index == 0 ? (picture.shape[2], picture.shape[3]) : (height, width)
            x = try blurred(x, pass.blur)
            x = try resized(x, pass, from: base)
            x = try noised(x, pass)
            guard index == degradation.passes.count - 1 else {
                x = try compressed(x, pass)
                continue
            }
            // Half of the pictures are compressed before they have their last size.
            if try draw.happens(0.5) {
                x = try compressed(finished(x, degradation), pass)
            } else {
                x = try finished(compressed(x, pass), degradation)
            }
        }
        return (x.clamped(to: 0...1) * 255).rounded() / 255
    }

    /// In the size that is wanted, and with the last sinc filter.
    private func finished(_ x: Tensor, _ degradation: Degradation) throws -> Tensor {
        let small = try sized(x, (height, width))
        guard try draw.happens(degradation.lastLowPassProbability) else { return small }
        return try lowPass(small, from: .pi / 3)(small)
    }

    // MARK: Blur

    /// An odd side from 7 to 21, and no more than a picture's mirrored borders allow.
    private func side(of x: Tensor) throws -> Int {
        let drawn = 7 + 2 * Int(try draw.number(in: 0...1) * 8)
        return min(drawn, 21, 2 * (min(x.shape[2], x.shape[3]) - 1) + 1)
    }

    /// - Parameter lowest: the least frequency that it lets pass; where `nil`, the less the larger the kernel is.
    private func lowPass(_ x: Tensor, from lowest: Double? = nil) throws -> BlurKernel {
        let side = try side(of: x)
        let least = lowest ?? (side < 13 ? .pi / 3 : .pi / 5)
        return .lowPass(side: side, cutoff: try draw.number(in: least...Double.pi))
    }

    private func blurred(_ x: Tensor, _ blur: Degradation.Blur) throws -> Tensor {
        guard try draw.happens(blur.probability) else { return x }
        if try draw.happens(blur.lowPassProbability) { return try lowPass(x)(x) }
        let kind = DrawnKernel.all[try draw.place(of: blur.shares)]
        return try kind.drawn(blur, side: side(of: x), draw)(x)
    }

    // MARK: Sizes

    private func resized(_ x: Tensor, _ pass: Degradation.Pass, from base: (Int, Int)) throws -> Tensor {
        let ranges = [1...pass.scales.upperBound, pass.scales.lowerBound...1, 1...1]
        let scale = try draw.number(in: ranges[try draw.place(of: pass.resizeShares)])
        func scaled(_ side: Int) -> Int { max(1, Int(Double(side) * scale)) }
        return try sized(x, (scaled(base.0), scaled(base.1)))
    }

    /// Brought to a size by area, linearly or cubically.
    private func sized(_ x: Tensor, _ size: (height: Int, width: Int)) throws -> Tensor {
        let ways: [(Tensor) -> Tensor] = [
            { $0.resizedByArea(height: size.height, width: size.width) },
            { $0.resizedBilinear(height: size.height, width: size.width) },
            { $0.resizedBicubic(height: size.height, width: size.width) },
        ]
        return ways[try draw.place(of: [1 / 3, 1 / 3, 1 / 3])](x)
    }

    // MARK: Noise

    private func noised(_ x: Tensor, _ pass: Degradation.Pass) throws -> Tensor {
        let isGaussian = try draw.happens(pass.gaussianProbability)
        let isGrey = try draw.happens(pass.greyProbability)
        let noise =
            try isGaussian
            ? gaussianNoise(like: x, isGrey: isGrey) * (draw.number(in: pass.noise) / 255)
            : poissonNoise(of: x, isGrey: isGrey) * draw.number(in: pass.poissonScales)
        return (x + noise).clamped(to: 0...1)
    }

    private func gaussianNoise(like x: Tensor, isGrey: Bool) -> Tensor {
        let extents = x.shape.extents
        return draw.generator.normal(isGrey ? [1, 1, extents[2], extents[3]] : x.shape)
    }

    /// What counting light adds to a picture: counts whose mean is as many as it has levels, rounded up to a power of two.
    func poissonNoise(of x: Tensor, isGrey: Bool) throws -> Tensor {
        let source = isGrey && x.shape[1] == 3 ? luminance(x) : x
        let levels = (source.clamped(to: 0...1) * 255).rounded() / 255
        let count = Set(try levels.array(of: Float.self)).count
        let most = pow(2, ceil(log2(Double(count))))
        return draw.generator.poisson(levels * most) / most - levels
    }

    /// Grey of red, green and blue, `[1, 1, height, width]`.
    private func luminance(_ x: Tensor) -> Tensor {
        let shares = Tensor([Float(0.2989), 0.587, 0.114], shape: [1, 3, 1, 1])
        return (x * shares).sum([1], keepingDimensions: true)
    }

    // MARK: JPEG

    private func compressed(_ x: Tensor, _ pass: Degradation.Pass) throws -> Tensor {
        let quality = Int(try draw.number(in: pass.quality).rounded())
        let picture = try Picture((x.clamped(to: 0...1) * 2 - 1)[0])
        return (try picture.throughJPEG(quality: quality).tensor().unsqueezed(0) + 1) / 2
    }
}

/// A picture of 8-bit pixels in memory.
///
/// Pixels lie row by row from the top, the channels of a pixel beside each other. The values are what a
/// file holds (sRGB); nothing here is linear light.
public struct Picture: Hashable, Sendable {
    /// Width in pixels, at least 1.
    public let width: Int
    /// Height in pixels, at least 1.
    public let height: Int
    /// 1 (grey), 3 (red, green, blue) or 4 (and alpha, not premultiplied).
    public let channels: Int
    /// `height × width × channels` values.
    public internal(set) var pixels: [UInt8]

    /// Makes a picture of given pixels.
    ///
    /// - Precondition: `channels` is 1, 3 or 4, the sizes are positive and the count of `pixels` fits.
    public init(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
        precondition(
            width > 0 && height > 0 && [1, 3, 4].contains(channels),
            "a picture of \(width)×\(height) with \(channels) channels")
        precondition(
            pixels.count == width * height * channels,
            "\(pixels.count) values for a picture of \(width)×\(height) with \(channels) channels")
        self.width = width
        self.height = height
        self.channels = channels
        self.pixels = pixels
    }

    /// Makes a picture of one colour.
    ///
    /// - Parameter colour: One value a channel; their count is the number of channels.
    public init(width: Int, height: Int, colour: [UInt8]) {
        var pixels = [UInt8]()
        pixels.reserveCapacity(width * height * colour.count)
        for _ in 0..<(width * height) { pixels.append(contentsOf: colour) }
        self.init(width: width, height: height, channels: colour.count, pixels: pixels)
    }

    /// One value of one pixel.
    public subscript(x: Int, y: Int, channel: Int = 0) -> UInt8 {
        get { pixels[(y * width + x) * channels + channel] }
        set { pixels[(y * width + x) * channels + channel] = newValue }
    }
}

extension Picture {
    /// What becomes of transparency where there is no room for it.
    public enum AlphaRule: Hashable, Sendable {
        /// The alpha channel is dropped and the colours stay as stored, as Pillow's `convert("RGB")` does.
        case drop
        /// The picture is laid on a colour.
        case over(Colour)
    }

    /// Whether any pixel is not opaque.
    public var isTransparent: Bool {
        channels == 4 && stride(from: 3, to: pixels.count, by: 4).contains { pixels[$0] < 255 }
    }

    /// The same picture with 1, 3 or 4 channels.
    ///
    /// Grey to colour repeats the value; colour to grey is the luma of ITU-R BT.601 in Pillow's 16-bit
    /// arithmetic; a new alpha channel is opaque.
    ///
    /// - Parameters:
    ///   - channels: 1, 3 or 4.
    ///   - alpha: What becomes of transparency when it goes.
    public func converted(toChannels channels: Int, alpha rule: AlphaRule = .drop) -> Picture {
        precondition([1, 3, 4].contains(channels), "no picture has \(channels) channels")
        if channels == self.channels { return self }
        if self.channels == 4 { return withoutAlpha(rule).converted(toChannels: channels) }
        var result = [UInt8]()
        result.reserveCapacity(width * height * channels)
        for pixel in stride(from: 0, to: pixels.count, by: self.channels) {
            let first = pixels[pixel]
            switch (self.channels, channels) {
            case (1, 3): result.append(contentsOf: [first, first, first])
            case (1, 4): result.append(contentsOf: [first, first, first, 255])
            case (3, 4): result.append(contentsOf: [first, pixels[pixel + 1], pixels[pixel + 2], 255])
            default: result.append(luma(first, pixels[pixel + 1], pixels[pixel + 2]))
            }
        }
        return Picture(width: width, height: height, channels: channels, pixels: result)
    }

    private func withoutAlpha(_ rule: AlphaRule) -> Picture {
        var result = [UInt8]()
        result.reserveCapacity(width * height * 3)
        switch rule {
        case .drop:
            for pixel in stride(from: 0, to: pixels.count, by: 4) { result += pixels[pixel..<(pixel + 3)] }
        case .over(let colour):
            let paper = [Int(colour.red), Int(colour.green), Int(colour.blue)]
            for pixel in stride(from: 0, to: pixels.count, by: 4) {
                let alpha = Int(pixels[pixel + 3])
                for channel in 0..<3 {
                    let mixed = Int(pixels[pixel + channel]) * alpha + paper[channel] * (255 - alpha)
                    result.append(UInt8((mixed + 127) / 255))
                }
            }
        }
        return Picture(width: width, height: height, channels: 3, pixels: result)
    }
}

/// 0.299 R + 0.587 G + 0.114 B in units of 1/65536, rounded.
private func luma(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    let sum: Int = 19595 * Int(red) + 38470 * Int(green) + 7471 * Int(blue)
    return UInt8((sum + 0x8000) >> 16)
}

extension Picture {
    /// A rectangle cut out.
    ///
    /// - Precondition: The rectangle lies inside the picture.
    public func cropped(x: Int, y: Int, width: Int, height: Int) -> Picture {
        precondition(
            x >= 0 && y >= 0 && x + width <= self.width && y + height <= self.height,
            "a \(width)×\(height) cut at (\(x), \(y)) of a picture of \(self.width)×\(self.height)")
        var result = [UInt8]()
        result.reserveCapacity(width * height * channels)
        for row in y..<(y + height) {
            let start = (row * self.width + x) * channels
            result.append(contentsOf: pixels[start..<(start + width * channels)])
        }
        return Picture(width: width, height: height, channels: channels, pixels: result)
    }

    /// The picture as a mirror shows it: left and right exchanged.
    public func mirrored() -> Picture {
        mapped(width: width, height: height) { x, y in (width - 1 - x, y) }
    }

    /// Every pixel as a square of `factor` × `factor` pixels.
    public func magnified(by factor: Int) -> Picture {
        precondition(factor >= 1, "a magnification of \(factor)")
        return factor == 1
            ? self : mapped(width: width * factor, height: height * factor) { ($0 / factor, $1 / factor) }
    }

    /// A picture whose pixel `(x, y)` is this picture's pixel `source(x, y)`.
    func mapped(width: Int, height: Int, _ source: (Int, Int) -> (x: Int, y: Int)) -> Picture {
        var result = [UInt8](repeating: 0, count: width * height * channels)
        var target = 0
        for y in 0..<height {
            for x in 0..<width {
                let from = source(x, y)
                let start = (from.y * self.width + from.x) * channels
                for channel in 0..<channels { result[target + channel] = pixels[start + channel] }
                target += channels
            }
        }
        return Picture(width: width, height: height, channels: channels, pixels: result)
    }

    /// Lays `other` on this picture with its top left corner at `(x, y)`.
    ///
    /// - Precondition: `other` has as many channels and lies inside.
    mutating func place(_ other: Picture, x: Int, y: Int) {
        precondition(
            other.channels == channels && x >= 0 && y >= 0 && x + other.width <= width
                && y + other.height <= height, "a picture laid outside another")
        for row in 0..<other.height {
            let source = row * other.width * channels
            let target = ((y + row) * width + x) * channels
            pixels.replaceSubrange(
                target..<(target + other.width * channels),
                with: other.pixels[source..<(source + other.width * channels)])
        }
    }
}

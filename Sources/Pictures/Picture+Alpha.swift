extension Picture {
    /// How opaque each pixel is, a grey picture; white where there is no alpha.
    public var alpha: Picture {
        guard channels == 4 else {
            return Picture(width: width, height: height, colour: [255])
        }
        return Picture(
            width: width, height: height, channels: 1,
            pixels: stride(from: 3, to: pixels.count, by: 4).map { pixels[$0] })
    }

    /// The same colours with how opaque they are from another picture.
    /// - Precondition: `alpha` is grey and of the same size.
    public func with(alpha: Picture) -> Picture {
        precondition(
            alpha.channels == 1 && alpha.width == width && alpha.height == height,
            "alpha of \(alpha.width)×\(alpha.height) for a picture of \(width)×\(height)")
        var result = converted(toChannels: 4)
        for (index, value) in alpha.pixels.enumerated() { result.pixels[4 * index + 3] = value }
        return result
    }
}

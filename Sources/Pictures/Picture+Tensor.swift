import Tensors

extension Picture {
    /// The picture as numbers: `[channels, height, width]` float32 in [−1, 1].
    ///
    /// A value p becomes 2 · (p / 255) − 1 in float32, as diffusers computes it. Alpha is dropped, so there
    /// are one or three channels.
    public func tensor() -> Tensor {
        let source = channels == 4 ? converted(toChannels: 3) : self
        let plane = width * height
        var values = [Float](repeating: 0, count: plane * source.channels)
        for channel in 0..<source.channels {
            for pixel in 0..<plane {
                values[channel * plane + pixel] = Picture.level(
                    source.pixels[pixel * source.channels + channel])
            }
        }
        return Tensor(values, shape: [source.channels, height, width])
    }

    /// A pixel's value as a number in [−1, 1].
    package static func level(_ value: UInt8) -> Float { Float(value) / 255 * 2 - 1 }

    /// Makes a picture of numbers: `round(255 · clamp(x/2 + ½, 0, 1))`, halves to even.
    ///
    /// - Parameter tensor: `[channels, height, width]` with 1 or 3 channels, of any floating-point type, on
    ///   any device; [−1, 1] is black to white. NaN becomes black.
    /// - Throws: ``PictureError`` for another shape, and whatever error the tensor carries.
    public init(_ tensor: Tensor) throws {
        // Reading first lets the error that a failed tensor carries speak instead of its shape.
        let values = try tensor.array(of: Float.self)
        let shape = Array(tensor.shape)
        guard shape.count == 3, [1, 3].contains(shape[0]), shape[1] > 0, shape[2] > 0 else {
            throw PictureError(
                .notAPicture, "a tensor of shape \(shape) is no picture",
                remedy: "give [1 or 3, height, width]")
        }
        self = Picture.picture(of: values[...], channels: shape[0], height: shape[1], width: shape[2])
    }

    /// Makes pictures of a batch of numbers.
    ///
    /// - Parameter batch: `[batch, channels, height, width]` with 1 or 3 channels; see ``init(_:)``.
    /// - Throws: ``PictureError`` for another shape, and whatever error the tensor carries.
    public static func pictures(of batch: Tensor) throws -> [Picture] {
        let values = try batch.array(of: Float.self)
        let shape = Array(batch.shape)
        guard shape.count == 4, [1, 3].contains(shape[1]), shape[2] > 0, shape[3] > 0 else {
            throw PictureError(
                .notAPicture, "a tensor of shape \(shape) is no batch of pictures",
                remedy: "give [batch, 1 or 3, height, width]")
        }
        let length = shape[1] * shape[2] * shape[3]
        return (0..<shape[0]).map {
            picture(
                of: values[($0 * length)..<(($0 + 1) * length)], channels: shape[1], height: shape[2],
                width: shape[3])
        }
    }

    private static func picture(
        of values: ArraySlice<Float>, channels: Int, height: Int, width: Int
    ) -> Picture {
        let plane = width * height
        var pixels = [UInt8](repeating: 0, count: values.count)
        for channel in 0..<channels {
            for pixel in 0..<plane {
                let value = values[values.startIndex + channel * plane + pixel]
                // NaN is neither above 0 nor below 1, so it is caught first.
                let level = value.isNaN ? 0 : 255 * max(0, min(1, value / 2 + 0.5))
                pixels[pixel * channels + channel] = UInt8(level.rounded(.toNearestOrEven))
            }
        }
        return Picture(width: width, height: height, channels: channels, pixels: pixels)
    }
}

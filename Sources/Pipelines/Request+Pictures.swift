import Pictures
import Tensors

// Pictures of a request as models take them.

extension Request {
    /// A picture without its alpha channel.
    func opaque(_ picture: Picture, _ name: RequestField, _ say: (Sentence) -> Void) -> Picture {
        guard picture.channels == 4 else { return picture }
        if let background {
            return picture.converted(toChannels: 3, alpha: .over(background))
        }
        if picture.isTransparent {
            say(
                "note: \(name) has transparent parts; the colours stored under them count, unless \(.background) says what they are laid on"
            )
        }
        return picture.converted(toChannels: 3)
    }

    /// The mask in a size, cut at one half: `[1, 1, height, width]` of 0 and 1; `nil` where there is none.
    func binaryMask(in size: Size, _ say: (Sentence) -> Void) -> Tensor? {
        guard let mask else { return nil }
        let fitted = opaque(mask, .mask, say).fitted(to: size, .nearest, .mask, say)
        let grey = fitted.converted(toChannels: 1)
        if grey.pixels.contains(where: { $0 != 0 && $0 != 255 }) {
            say("warning: \(.mask) has greys, which were cut at one half")
        }
        return Tensor(grey.pixels.map { $0 >= 128 ? Float(1) : 0 }, shape: [1, 1, grey.height, grey.width])
    }
}

extension Picture {
    /// The picture in a size, with a warning where it has another.
    func fitted(
        to size: Request.Size, _ filter: ResizeFilter, _ name: RequestField, _ say: (Sentence) -> Void
    ) -> Picture {
        guard (width, height) != (size.width, size.height) else { return self }
        say("warning: \(name) is \(width)×\(height) and was resized to \(size.width)×\(size.height)")
        return resized(width: size.width, height: size.height, filter: filter)
    }
}

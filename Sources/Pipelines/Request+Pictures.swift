import Pictures

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

extension ControlKind {
    /// The picture as one of fewer pixels shows it: a smaller one (Pillow's `BOX`), enlarged again (`BICUBIC`). Networks that are
    /// controlled by it make details anew.
    public static let tile = ControlKind("tile", "the picture without its details", reads: [.factor]) {
        picture, settings in
        let opaque = picture.channels == 4 ? picture.converted(toChannels: 3) : picture
        let factor = settings.factor ?? 8
        let small = opaque.resized(
            width: max(1, opaque.width / factor), height: max(1, opaque.height / factor), filter: .box)
        return small.resized(width: opaque.width, height: opaque.height, filter: .bicubic).planes
    }
}

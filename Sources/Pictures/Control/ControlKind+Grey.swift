extension ControlKind {
    /// The luminance: scikit-image's `rgb2gray`. Networks that are controlled by it add colours.
    public static let grey = ControlKind("grey", "the picture without its colours") { picture, _ in
        [picture.luminance]
    }
}

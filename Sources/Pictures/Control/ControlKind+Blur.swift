extension ControlKind {
    /// The picture under a Gaussian: scikit-image's `gaussian` of each colour.
    public static let blur = ControlKind("blur", "the picture out of focus", reads: [.sigma]) {
        picture, settings in
        picture.planes.map { $0.blurred(settings.sigma ?? 5, .nearest) }
    }
}

extension ControlKind {
    /// How steep the luminance is: scikit-image's `sobel`, whose kernels reach 1 at the steepest edge in one direction.
    /// Source: Sobel and Feldman 1968, as in Duda and Hart 1973 (Pattern Classification and Scene Analysis), page 271.
    public static let sobel = ControlKind("sobel", "soft edges, brighter where they are steeper") {
        picture, _ in
        let plane = picture.luminance
        let (right, down) = (plane.slope(along: .rows), plane.slope(along: .columns))
        // [−1 0 1] by [1 2 1] grows by up to 4; the root of the mean square of both directions.
        return [down.with(right) { (($0 * $0 + $1 * $1) / 16).squareRoot() / 2.0.squareRoot() }]
    }
}

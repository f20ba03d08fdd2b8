extension ResizeFilter {
    /// The words by which a filter is named, from the plainest on; `area` is what others call `box`.
    public static let words = [
        "nearest", "area", "box", "bilinear", "hamming", "bicubic", "lanczos",
    ]

    /// The filter of a word; `nil` where it is none.
    public init?(word: String) { self.init(rawValue: word == "area" ? "box" : word) }
}

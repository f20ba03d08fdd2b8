extension [any Stage] {
    /// The stage whose steps and guidance are those of the request.
    var mainIndex: Int { firstIndex { $0.isMain } ?? 0 }
}

/// A source of captions beside others, and how often it is drawn.
///
/// Its name is a column of `metadata.jsonl` or `metadata.csv`, the extension of a file beside the picture, or a key of a
/// sample's JSON. A text-to-image model that learns half from names and half from longer captions has two columns of one
/// share.
public struct CaptionColumn: Hashable, Sendable {
    /// The name of the column, key or extension.
    public var name: String
    /// How often it is drawn, in proportion to the other columns that an example has.
    public var share: Double

    /// A column with its share.
    public init(_ name: String, share: Double = 1) {
        (self.name, self.share) = (name, share)
    }
}

/// The captions of an example, and how often each is drawn.
struct ExampleCaptions: Sendable {
    private(set) var texts: [String] = []
    /// In proportion to each other; nil where all are drawn alike.
    private(set) var weights: [Double]?

    /// Captions that are drawn alike.
    init(_ texts: [String] = []) { self.texts = texts }

    /// The texts of each column, which share its weight; columns without a text leave theirs to the others.
    init(_ columns: [CaptionColumn], texts: (CaptionColumn) throws -> [String]) rethrows {
        var weights: [Double] = []
        for column in columns {
            let own = try texts(column)
            self.texts += own
            weights += own.map { _ in column.share / Double(own.count) }
        }
        self.weights = weights
    }

    /// The place of the caption that a number chooses; nil where there is none.
    /// - Parameter draw: evenly distributed over all numbers.
    static func place(_ draw: UInt64, of count: Int, weights: [Double]?) -> Int? {
        guard count > 0 else { return nil }
        guard let weights else { return Int(draw.multipliedFullWidth(by: UInt64(count)).high) }
        var rest = Double(draw >> 11) * 0x1p-53 * weights.reduce(0, +)
        for (place, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return place }
        }
        return count - 1
    }
}

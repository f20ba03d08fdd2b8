/// Several pictures of one size on a grid, as samples are shown.
public struct Sheet: Sendable {
    /// How many pictures stand beside each other.
    public var columns: Int
    /// Empty pixels between pictures and around them, after magnification.
    public var padding: Int
    /// Each pixel becomes a square of this many pixels a side.
    public var magnification: Int
    /// The level of the paper, 0 (black) … 255 (white).
    public var background: UInt8
    /// A label in front of each row, from the top; none where empty.
    public var rowLabels: [String]

    /// A sheet of some columns.
    ///
    /// - Precondition: `columns` and `magnification` are positive, `padding` is not negative.
    public init(
        columns: Int, padding: Int = 2, magnification: Int = 1, background: UInt8 = 255,
        rowLabels: [String] = []
    ) {
        precondition(columns >= 1 && magnification >= 1 && padding >= 0, "a sheet of \(columns) columns")
        self.columns = columns
        self.padding = padding
        self.magnification = magnification
        self.background = background
        self.rowLabels = rowLabels
    }

    /// Lays pictures on the grid, row by row. The last row may stay short.
    ///
    /// - Parameter pictures: At least one; those of fewer channels are converted to the most of any. With
    ///   labels the sheet has at least three channels.
    /// - Precondition: All pictures have the same size.
    public func picture(of pictures: [Picture]) -> Picture {
        precondition(!pictures.isEmpty, "a sheet of no pictures")
        let (width, height) = (pictures[0].width * magnification, pictures[0].height * magnification)
        precondition(
            pictures.allSatisfy { $0.width == pictures[0].width && $0.height == pictures[0].height },
            "a sheet of pictures of different sizes")
        let rows = (pictures.count + columns - 1) / columns
        let size = min(max(Double(height) / 3, 7), 16)
        let longest = rowLabels.map { Canvas.width(of: $0, size: size) }.max() ?? 0
        let margin = rowLabels.isEmpty ? 0 : Int(longest.rounded(.up)) + 12
        let channels = max(pictures.map(\.channels).max() ?? 1, rowLabels.isEmpty ? 1 : 3)
        var sheet = Picture(
            width: margin + columns * (width + padding) + padding,
            height: rows * (height + padding) + padding,
            colour: [background, background, background]
        ).converted(toChannels: channels)
        for (row, label) in rowLabels.prefix(rows).enumerated() {
            let canvas = Canvas(
                width: margin, height: height + padding,
                colour: Plot.Colour(red: background, green: background, blue: background))
            canvas.write(
                label, at: Point(x: Double(margin - 4), y: Double(height) / 2 + size / 2), size: size,
                colour: background >= 128 ? .ink : .white, anchor: .end)
            sheet.place(
                canvas.picture.converted(toChannels: channels), x: 0, y: padding + row * (height + padding))
        }
        for (index, picture) in pictures.enumerated() {
            sheet.place(
                picture.converted(toChannels: channels).magnified(by: magnification),
                x: margin + padding + index % columns * (width + padding),
                y: padding + index / columns * (height + padding))
        }
        return sheet
    }
}

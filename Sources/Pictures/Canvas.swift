/// A place on a drawing in pixels, from the top left corner.
package struct Point: Hashable, Sendable {
    package var x: Double
    package var y: Double

    package init(x: Double, y: Double) {
        self.x = x
        self.y = y
    }
}

/// A rectangle of a drawing in pixels.
struct Frame: Hashable, Sendable {
    var left: Double
    var top: Double
    var right: Double
    var bottom: Double
    var width: Double { right - left }
    var height: Double { bottom - top }
}

/// A colour picture to draw antialiased lines and texts on.
package struct Canvas {
    package private(set) var picture: Picture

    package init(width: Int, height: Int, colour: Plot.Colour = .white) {
        picture = Picture(width: width, height: height, colour: colour.values)
    }

    /// The whole drawing.
    var frame: Frame {
        Frame(left: 0, top: 0, right: Double(picture.width), bottom: Double(picture.height))
    }

    /// Draws lines through points with round ends. Where the lines of one call cross, nothing adds up.
    mutating func stroke(
        _ lines: [[Point]], width: Double, colour: Plot.Colour, opacity: Double = 1, within clip: Frame? = nil
    ) {
        // Lines thinner than a pixel are drawn a pixel wide and paler.
        let radius = max(width, 1) / 2
        var mask = Mask(covering: lines.joined(), reach: radius + 1, within: clip ?? frame, of: picture)
        for line in lines {
            if let only = line.first, line.count == 1 { mask.add(from: only, to: only, radius: radius) }
            for (start, end) in zip(line, line.dropFirst()) {
                mask.add(from: start, to: end, radius: radius)
            }
        }
        paint(mask, colour, opacity * min(width, 1))
    }

    /// Draws discs around points.
    mutating func dots(
        _ points: [Point], radius: Double, colour: Plot.Colour, opacity: Double = 1, within clip: Frame? = nil
    ) {
        var mask = Mask(covering: points, reach: radius + 1, within: clip ?? frame, of: picture)
        for point in points { mask.add(from: point, to: point, radius: radius) }
        paint(mask, colour, opacity)
    }

    /// Fills a rectangle, whole pixels only.
    mutating func fill(_ area: Frame, colour: Plot.Colour, opacity: Double = 1) {
        let (left, right) = (Int(max(0, area.left)), Int(min(frame.right, area.right)))
        let (top, bottom) = (Int(max(0, area.top)), Int(min(frame.bottom, area.bottom)))
        for y in top..<max(top, bottom) {
            for x in left..<max(left, right) { blend(x, y, colour, opacity) }
        }
    }

    private mutating func paint(_ mask: Mask, _ colour: Plot.Colour, _ opacity: Double) {
        for row in 0..<mask.height {
            for column in 0..<mask.width {
                let coverage = mask.values[row * mask.width + column]
                if coverage > 0 { blend(mask.left + column, mask.top + row, colour, Double(coverage) * opacity) }
            }
        }
    }

    private mutating func blend(_ x: Int, _ y: Int, _ colour: Plot.Colour, _ opacity: Double) {
        for (channel, value) in colour.values.enumerated() {
            let old = Double(picture[x, y, channel])
            picture[x, y, channel] = UInt8((old + (Double(value) - old) * opacity).rounded())
        }
    }
}

/// How much of each pixel of a part of the drawing a shape covers.
private struct Mask {
    let left: Int
    let top: Int
    let width: Int
    let height: Int
    private(set) var values: [Float]

    /// An empty mask for shapes within `reach` of some points, cut at a frame and at the picture's borders.
    init(covering points: some Sequence<Point>, reach: Double, within clip: Frame, of picture: Picture) {
        var (low, high) = (Point(x: .infinity, y: .infinity), Point(x: -.infinity, y: -.infinity))
        for point in points {
            low = Point(x: min(low.x, point.x), y: min(low.y, point.y))
            high = Point(x: max(high.x, point.x), y: max(high.y, point.y))
        }
        func pixel(_ value: Double, _ size: Int) -> Int { Int(max(0, min(Double(size), value))) }
        left = pixel(max(low.x - reach, clip.left), picture.width)
        top = pixel(max(low.y - reach, clip.top), picture.height)
        width = max(0, pixel(min(high.x + reach, clip.right).rounded(.up), picture.width) - left)
        height = max(0, pixel(min(high.y + reach, clip.bottom).rounded(.up), picture.height) - top)
        values = [Float](repeating: 0, count: width * height)
    }

    /// Adds all that lies within `radius` of a straight line: a pixel's coverage falls from 1 to 0 over the
    /// one pixel around that distance.
    mutating func add(from start: Point, to end: Point, radius: Double) {
        let reach = radius + 1
        func clamp(_ value: Double, _ size: Int) -> Int { Int(max(0, min(Double(size), value))) }
        let columns =
            clamp(min(start.x, end.x) - reach - Double(left), width)..<clamp(
                max(start.x, end.x) + reach + 1 - Double(left), width)
        let rows =
            clamp(min(start.y, end.y) - reach - Double(top), height)..<clamp(
                max(start.y, end.y) + reach + 1 - Double(top), height)
        let (dx, dy) = (end.x - start.x, end.y - start.y)
        let lengthSquared = dx * dx + dy * dy
        for row in rows {
            for column in columns {
                // From the start of the line to the middle of the pixel.
                let px = Double(left + column) + 0.5 - start.x
                let py = Double(top + row) + 0.5 - start.y
                let along = lengthSquared == 0 ? 0 : max(0, min(1, (px * dx + py * dy) / lengthSquared))
                let (ex, ey) = (px - along * dx, py - along * dy)
                let coverage = Float(min(1, radius + 0.5 - (ex * ex + ey * ey).squareRoot()))
                let index = row * width + column
                if coverage > values[index] { values[index] = coverage }
            }
        }
    }
}

import Foundation

/// A plot of one or more series of numbers, drawn as a picture: loss curves, orders of convergence, clouds.
public struct Plot: Sendable {
    /// How values lie on an axis.
    public enum Scale: String, Hashable, Sendable, Codable {
        case linear, logarithmic

        func position(_ value: Double) -> Double { self == .linear ? value : log10(value) }
    }

    /// A colour of red, green and blue, 0…255 each.
    public struct Colour: Hashable, Sendable {
        let values: [UInt8]

        /// A colour of its three parts.
        public init(red: UInt8, green: UInt8, blue: UInt8) { values = [red, green, blue] }

        init(_ hex: UInt32) {
            self.init(
                red: UInt8(hex >> 16 & 255), green: UInt8(hex >> 8 & 255), blue: UInt8(hex & 255))
        }

        package static let white = Colour(0xFFFFFF)
        package static let ink = Colour(0x222A35)
        static let faintInk = Colour(0x5B6573)
        static let grid = Colour(0xE3E7EC)

        /// The colours that series get one after the other; they can be told apart by colour-blind people
        /// (after Okabe and Ito 2008, somewhat deeper for thin lines on white).
        static let series = [
            0x0072B2, 0xD55E00, 0x009E73, 0xB8609A, 0xC98A00, 0x3D9BCB, 0x555B66,
            // Where there are more than seven, these can no longer be told apart by everybody.
            0x7A4A12, 0x6A51A3, 0x7C9A1E, 0xD6277F, 0x17A2A2, 0xB2182B, 0x253494,
        ].map(Colour.init)
    }

    /// Points and how they are drawn.
    public struct Series: Sendable {
        /// How points are drawn.
        public enum Style: Hashable, Sendable {
            /// A line through the points in their order.
            case line
            /// A line that carries a dot at each point.
            case markedLine
            /// Dots alone: a cloud.
            case dots
        }

        /// What the legend calls it; a series without a name is not in the legend.
        public var name: String
        /// The points' first coordinates.
        public var x: [Double]
        /// The points' second coordinates. A value that is not finite, or that a logarithmic axis cannot
        /// show, leaves a gap.
        public var y: [Double]
        /// How points are drawn.
        public var style: Style
        /// 0 (not to be seen) … 1 (full); pale for raw data behind a smooth line.
        public var opacity: Double
        /// Line width or dot diameter in pixels; nil chooses by the style.
        public var size: Double?
        /// Its colour; nil takes the next of the palette.
        public var colour: Colour?

        /// A series of points.
        ///
        /// - Precondition: `x` and `y` have the same count.
        public init(
            _ name: String = "", x: [Double], y: [Double], style: Style = .line, opacity: Double = 1,
            size: Double? = nil, colour: Colour? = nil
        ) {
            precondition(x.count == y.count, "a series of \(x.count) and \(y.count) coordinates")
            (self.name, self.x, self.y, self.style) = (name, x, y, style)
            (self.opacity, self.size, self.colour) = (opacity, size, colour)
        }

        /// A series of values at 0, 1, 2, ….
        public init(_ name: String = "", _ values: [Double], style: Style = .line, opacity: Double = 1) {
            self.init(name, x: values.indices.map(Double.init), y: values, style: style, opacity: opacity)
        }
    }

    /// What stands above.
    public var title: String
    /// What stands below the horizontal axis.
    public var xLabel: String
    /// What stands beside the vertical axis.
    public var yLabel: String
    /// How the horizontal axis is divided.
    public var xScale: Scale
    /// How the vertical axis is divided.
    public var yScale: Scale
    /// Whether a step to the right is as long as an equal step upwards, as clouds in a plane want it.
    public var hasEqualSteps: Bool
    /// What is drawn, the last on top.
    public var series: [Series]

    /// A plot of some series.
    public init(
        _ series: [Series], title: String = "", xLabel: String = "", yLabel: String = "",
        xScale: Scale = .linear, yScale: Scale = .linear, hasEqualSteps: Bool = false
    ) {
        (self.series, self.title, self.xLabel, self.yLabel) = (series, title, xLabel, yLabel)
        (self.xScale, self.yScale, self.hasEqualSteps) = (xScale, yScale, hasEqualSteps)
    }

    /// Whether the names would hide the lines if they stood among them.
    var hasLegendOutside: Bool { series.count { !$0.name.isEmpty } > 7 }

    /// Draws the plot.
    ///
    /// - Parameters:
    ///   - width: Width in pixels, at least 200.
    ///   - height: Height in pixels, at least 150.
    public func picture(width: Int = 960, height: Int = 600) -> Picture {
        precondition(width >= 200 && height >= 150, "a plot of \(width)×\(height)")
        let drawing = PlotDrawing(self, width: width, height: height)
        drawing.drawGridAndTicks()
        drawing.drawSeries()
        drawing.drawFrameAndTitles()
        drawing.drawLegend()
        return drawing.canvas.picture
    }
}

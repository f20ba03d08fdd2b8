/// A plot being drawn: the layout, and one method for each layer from the bottom to the top.
struct PlotDrawing {
    private static let tickSize = 9.0
    private static let labelSize = 10.5
    private static let titleSize = 13.0

    let canvas: Canvas
    private let plot: Plot
    private let x: PlotAxis
    private let y: PlotAxis
    private let xTicks: [Tick]
    private let yTicks: [Tick]
    /// Where the data is.
    private let area: Frame

    init(_ plot: Plot, width: Int, height: Int) {
        self.plot = plot
        canvas = Canvas(width: width, height: height)
        var x = PlotAxis(plot.xScale, holding: plot.series.lazy.flatMap(\.x))
        var y = PlotAxis(plot.yScale, holding: plot.series.lazy.flatMap(\.y))
        var area = Frame(
            left: 28, top: plot.title.isEmpty ? 22 : 54, right: Double(width) - 26,
            bottom: Double(height) - (plot.xLabel.isEmpty ? 38 : 66))
        if plot.hasEqualSteps { PlotDrawing.equalise(&x, &y, width: area.width - 40, height: area.height) }
        yTicks = y.ticks(about: max(2, Int(area.height / 62)))
        let widest =
            yTicks.map { [canvas] in canvas.width(of: $0.label, size: PlotDrawing.tickSize) }.max() ?? 0
        area.left += (widest + (plot.yLabel.isEmpty ? 0 : 30)).rounded()
        if plot.hasLegendOutside { area.right -= PlotDrawing.legendWidth(plot) + 8 }
        xTicks = x.ticks(about: max(2, Int(area.width / 105)))
        (self.x, self.y, self.area) = (x, y, area)
    }

    /// Widens one of two axes so that both have the same number of pixels to a unit.
    private static func equalise(_ x: inout PlotAxis, _ y: inout PlotAxis, width: Double, height: Double) {
        let unit = max((x.high - x.low) / width, (y.high - y.low) / height)
        func widened(_ axis: PlotAxis, _ pixels: Double) -> PlotAxis {
            let (middle, half) = ((axis.low + axis.high) / 2, unit * pixels / 2)
            return PlotAxis(axis.scale, low: middle - half, high: middle + half)
        }
        (x, y) = (widened(x, width), widened(y, height))
    }

    private func across(_ value: Double) -> Double? {
        x.fraction(of: value).map { area.left + $0 * area.width }
    }

    private func down(_ value: Double) -> Double? {
        y.fraction(of: value).map { area.bottom - $0 * area.height }
    }

    /// Grid lines lie in the middle of a pixel, so that they are sharp.
    private func sharp(_ value: Double) -> Double { value.rounded(.down) + 0.5 }

    func drawGridAndTicks() {
        let size = PlotDrawing.tickSize
        for tick in xTicks {
            guard let position = across(tick.value) else { continue }
            let line = sharp(position)
            canvas.stroke(
                [[Point(x: line, y: area.top), Point(x: line, y: area.bottom)]], width: 1, colour: .grid)
            canvas.write(
                tick.label, at: Point(x: position, y: area.bottom + 11 + size), size: size, colour: .faintInk,
                anchor: .middle)
        }
        for tick in yTicks {
            guard let position = down(tick.value) else { continue }
            let line = sharp(position)
            canvas.stroke(
                [[Point(x: area.left, y: line), Point(x: area.right, y: line)]], width: 1, colour: .grid)
            canvas.write(
                tick.label, at: Point(x: area.left - 9, y: position + size / 2), size: size,
                colour: .faintInk,
                anchor: .end)
        }
    }

    func drawSeries() {
        for (series, colour) in zip(plot.series, colours) {
            let runs = runs(of: series)
            if series.style != .dots {
                canvas.stroke(
                    runs, width: series.size ?? 2, colour: colour, opacity: series.opacity, within: area)
            }
            if series.style != .line {
                let diameter = series.style == .dots ? series.size ?? 4 : (series.size ?? 2) + 5
                canvas.dots(
                    Array(runs.joined()), radius: diameter / 2, colour: colour, opacity: series.opacity,
                    within: area)
            }
        }
    }

    func drawFrameAndTitles() {
        let (left, right) = (sharp(area.left), sharp(area.right))
        let (top, bottom) = (sharp(area.top), sharp(area.bottom))
        let corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
        canvas.stroke([corners.map { Point(x: $0.0, y: $0.1) }], width: 1, colour: Plot.Colour(0xB4BCC6))
        let middle = (area.left + area.right) / 2
        canvas.write(
            plot.title, at: Point(x: middle, y: area.top - 18), size: PlotDrawing.titleSize, colour: .ink,
            anchor: .middle, bold: true)
        canvas.write(
            plot.xLabel, at: Point(x: middle, y: area.bottom + 50), size: PlotDrawing.labelSize, colour: .ink,
            anchor: .middle)
        canvas.write(
            plot.yLabel, at: Point(x: 30, y: (area.top + area.bottom) / 2), size: PlotDrawing.labelSize,
            colour: .ink, anchor: .middle, upwards: true)
    }

    /// Names the series, in the corner where the fewest points lie; many of them beside the plot.
    func drawLegend() {
        let rows = zip(plot.series, colours).filter { !$0.0.name.isEmpty }
        guard !rows.isEmpty else { return }
        let size = PlotDrawing.tickSize
        let rowHeight = size * 2.3
        let (width, height) = (PlotDrawing.legendWidth(plot), rowHeight * Double(rows.count) + 10)
        let outside = Frame(
            left: area.right + 8, top: area.top, right: area.right + 8 + width, bottom: area.top + height)
        let frame = plot.hasLegendOutside ? outside : legendFrame(width: width, height: height)
        canvas.fill(frame, colour: .white, opacity: 0.86)
        for (index, (series, colour)) in rows.enumerated() {
            let middle = frame.top + 5 + rowHeight * (Double(index) + 0.5)
            let ends = [Point(x: frame.left + 12, y: middle), Point(x: frame.left + 36, y: middle)]
            let opacity = max(series.opacity, 0.5)
            if series.style != .dots {
                canvas.stroke([ends], width: max(2, series.size ?? 2), colour: colour, opacity: opacity)
            }
            if series.style != .line {
                let dot = Point(x: (ends[0].x + ends[1].x) / 2, y: middle)
                canvas.dots([dot], radius: 3.5, colour: colour, opacity: opacity)
            }
            canvas.write(
                series.name, at: Point(x: frame.left + 46, y: middle + size / 2), size: size, colour: .ink)
        }
    }

    private static func legendWidth(_ plot: Plot) -> Double {
        let names = plot.series.map { Canvas.width(of: $0.name, size: tickSize) }
        return (names.max() ?? 0) + 60
    }

    private func legendFrame(width: Double, height: Double) -> Frame {
        let points = plot.series.flatMap { runs(of: $0).joined() }
        let corners = [(false, true), (true, true), (true, false), (false, false)].map { isLeft, isTop in
            let left = isLeft ? area.left + 10 : area.right - 10 - width
            let top = isTop ? area.top + 10 : area.bottom - 10 - height
            return Frame(left: left, top: top, right: left + width, bottom: top + height)
        }
        func crowd(_ frame: Frame) -> Int {
            points.count {
                $0.x >= frame.left && $0.x <= frame.right && $0.y >= frame.top && $0.y <= frame.bottom
            }
        }
        let crowds = corners.map(crowd)
        return corners[crowds.indices.min { crowds[$0] < crowds[$1] } ?? 0]
    }

    /// The palette by the order of the series; it goes round.
    private var colours: [Plot.Colour] {
        let palette = Plot.Colour.series
        return plot.series.enumerated().map { $1.colour ?? palette[$0 % palette.count] }
    }

    /// A series in pixels, cut where it has gaps.
    private func runs(of series: Plot.Series) -> [[Point]] {
        var runs: [[Point]] = [[]]
        for (px, py) in zip(series.x, series.y) {
            if let px = across(px), let py = down(py) {
                runs[runs.count - 1].append(Point(x: px, y: py))
            } else if runs.last?.isEmpty == false {
                runs.append([])
            }
        }
        return runs.filter { !$0.isEmpty }
    }
}

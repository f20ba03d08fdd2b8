import Foundation
import Pictures
import Testing

struct PlotAxisTests {
    private func labels(_ scale: Plot.Scale, _ low: Double, _ high: Double, about count: Int = 6) -> [String]
    {
        PlotAxis(scale, holding: [low, high]).ticks(about: count).map(\.label)
    }

    @Test func linearTicksAreRound() {
        #expect(labels(.linear, 0, 10) == ["0", "2", "4", "6", "8", "10"])
        #expect(labels(.linear, -1, 1) == ["-1.0", "-0.5", "0", "0.5", "1.0"])
        #expect(labels(.linear, 0, 1, about: 5) == ["0", "0.25", "0.50", "0.75", "1.00"])
        #expect(labels(.linear, 0, 5e6) == ["0", "1·10⁶", "2·10⁶", "3·10⁶", "4·10⁶", "5·10⁶"])
        #expect(labels(.linear, 0, 4e-5, about: 5) == ["0", "1·10⁻⁵", "2·10⁻⁵", "3·10⁻⁵", "4·10⁻⁵"])
    }

    @Test func logarithmicTicksArePowers() {
        #expect(labels(.logarithmic, 1e-3, 10) == ["0.001", "0.01", "0.1", "1", "10"])
        #expect(labels(.logarithmic, 1e-12, 1, about: 5) == ["10⁻¹²", "10⁻⁹", "10⁻⁶", "10⁻³", "10⁰"])
        #expect(labels(.logarithmic, 1, 30) == ["1", "2", "5", "10", "20"])
        #expect(labels(.logarithmic, 2, 5) == ["2", "3", "4", "5"])
    }

    @Test func valuesLieWhereTheyBelong() throws {
        let linear = PlotAxis(.linear, low: 0, high: 4)
        #expect(linear.fraction(of: 1) == 0.25)
        let logarithmic = PlotAxis(.logarithmic, low: -2, high: 2)
        #expect(logarithmic.fraction(of: 0.1) == 0.25)
        #expect(logarithmic.fraction(of: 0) == nil && logarithmic.fraction(of: -1) == nil)
        #expect(linear.fraction(of: .nan) == nil && linear.fraction(of: .infinity) == nil)
    }

    @Test func rangesOfOneValueHaveAWidth() {
        for value in [0, 1, -3, 1e9, 1e-9] {
            let axis = PlotAxis(.linear, holding: [value, value])
            #expect(axis.low < value && value < axis.high, "\(value)")
        }
        let axis = PlotAxis(.logarithmic, holding: [7, -1, .nan])
        #expect(axis.low < log10(7) && log10(7) < axis.high)
    }
}

struct PlotTests {
    private let blue = Plot.Colour(red: 0, green: 0, blue: 255)

    /// Columns that hold a blue pixel, from first to last, and the same for rows.
    private func blueExtent(of picture: Picture) -> (columns: ClosedRange<Int>, rows: ClosedRange<Int>)? {
        var (columns, rows): ([Int], [Int]) = ([], [])
        for y in 0..<picture.height {
            for x in 0..<picture.width
            where picture[x, y, 2] > 200 && picture[x, y, 0] < 60 && picture[x, y, 1] < 60 {
                columns.append(x)
                rows.append(y)
            }
        }
        guard let left = columns.min(), let right = columns.max(), let top = rows.min(),
            let bottom = rows.max()
        else { return nil }
        return (left...right, top...bottom)
    }

    @Test func aFallingLineFalls() throws {
        let plot = Plot([Plot.Series(x: [0, 1], y: [1, 0], size: 3, colour: blue)])
        let picture = plot.picture(width: 400, height: 300)
        #expect(picture.width == 400 && picture.height == 300 && picture.channels == 3)
        let extent = try #require(blueExtent(of: picture))
        #expect(extent.columns.count > 250 && extent.rows.count > 180)
        let first = try #require(
            extent.rows.first {
                picture[extent.columns.lowerBound, $0, 2] > 200
                    && picture[extent.columns.lowerBound, $0, 0] < 60
            })
        #expect(first < 60)
    }

    @Test func aPowerIsStraightOnLogarithmicAxes() throws {
        let x = (0...40).map { pow(10, Double($0) / 10) }
        let plot = Plot(
            [.init(x: x, y: x.map { 3 * $0 * $0 }, style: .dots, size: 6, colour: blue)],
            xScale: .logarithmic,
            yScale: .logarithmic)
        let picture = plot.picture(width: 500, height: 400)
        let extent = try #require(blueExtent(of: picture))
        // The middle point lies in the middle of the diagonal.
        let (x0, y0) = (
            (extent.columns.lowerBound + extent.columns.upperBound) / 2,
            (extent.rows.lowerBound + extent.rows.upperBound) / 2
        )
        #expect(picture[x0, y0, 2] > 200 && picture[x0, y0, 0] < 60)
    }

    @Test func equalStepsKeepCirclesRound() throws {
        let angles = (0..<200).map { Double($0) / 200 * 2 * .pi }
        let circle = Plot.Series(x: angles.map(cos), y: angles.map(sin), style: .dots, colour: blue)
        let extent = try #require(
            blueExtent(of: Plot([circle], hasEqualSteps: true).picture(width: 700, height: 400)))
        #expect(abs(extent.columns.count - extent.rows.count) <= 8)
        let stretched = try #require(blueExtent(of: Plot([circle]).picture(width: 700, height: 400)))
        #expect(stretched.columns.count > stretched.rows.count + 100)
    }

    @Test func oddValuesDrawSomething() {
        let odd: [[Double]] = [
            [], [1], [.nan, .infinity], [0, 0, 0], [1e308, -1e308], [2.3e-308, 1], [-1, -2],
        ]
        for values in odd {
            for scale in [Plot.Scale.linear, .logarithmic] {
                let plot = Plot(
                    [.init("series", values, style: .markedLine)], title: "σ", xScale: scale, yScale: scale)
                #expect(plot.picture(width: 200, height: 150).pixels.contains { $0 < 200 }, "\(values)")
            }
        }
        #expect(Plot([]).picture().pixels.contains { $0 < 200 })
    }

    @Test func gapsAreNotBridged() throws {
        let y: [Double] = [1, 1, .nan, 1, 1]
        let whole = Plot([.init(x: [0, 1, 2, 3, 4], y: [1, 1, 1, 1, 1], size: 4, colour: blue)])
        let broken = Plot([.init(x: [0, 1, 2, 3, 4], y: y, size: 4, colour: blue)])
        func blues(_ plot: Plot) -> Int {
            let picture = plot.picture(width: 400, height: 300)
            return (0..<(400 * 300)).count { picture.pixels[$0 * 3 + 2] > 200 && picture.pixels[$0 * 3] < 60 }
        }
        #expect(Double(blues(broken)) < 0.6 * Double(blues(whole)))
    }
}

import Pictures
import Testing

@Suite struct CanvasTests {
    private func written(
        _ text: String, size: Double = 30, typeface: String = "sans-serif"
    ) -> Picture {
        let canvas = Canvas(width: 60, height: 60, typeface: typeface)
        canvas.write(text, at: Point(x: 12, y: 44), size: size, colour: .ink)
        return canvas.picture
    }

    private func ink(_ picture: Picture) -> Int { picture.pixels.reduce(0) { $0 + 255 - Int($1) } }

    private func difference(_ a: Picture, _ b: Picture) -> Int {
        zip(a.pixels, b.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    }

    // MARK: Text

    @Test(arguments: ["sans-serif", Canvas.builtInTypeface, "a typeface that nobody has"])
    func everyCharacterHasItsOwnGlyph(typeface: String) {
        var seen: Set<[UInt8]> = []
        // cairo's own has one glyph for a small l and a large I.
        let characters = (33...126).map { Character(UnicodeScalar(UInt8($0))) }.filter {
            $0.isUppercase || $0.isNumber || "-.,+/()".contains($0)
        }
        for character in characters.map(String.init) + ["²", "₂"] {
            let picture = written(character, typeface: typeface)
            #expect(picture.pixels.contains { $0 < 100 }, "\(character)")
            #expect(seen.insert(picture.pixels).inserted, "\(character)")
        }
    }

    /// On a machine without fonts numbers are still numbers.
    @Test func numbersNeedNoFonts() {
        let box = written("猫", typeface: Canvas.builtInTypeface)
        for (character, plain) in [("−", "-"), ("·", "x"), ("×", "x")] {
            let picture = written(character, typeface: Canvas.builtInTypeface)
            #expect(picture == written(plain, typeface: Canvas.builtInTypeface) && picture != box)
        }
    }

    /// Exponents at the size that they have beside axes: a 5 is no 6.
    @Test(arguments: ["sans-serif", Canvas.builtInTypeface])
    func raisedDigitsDiffer(typeface: String) {
        let digits = "⁰¹²³⁴⁵⁶⁷⁸⁹".map { written("10\($0)", size: 9, typeface: typeface) }
        let common = ink(written("10", size: 9, typeface: typeface))
        for (index, digit) in digits.enumerated() {
            for other in digits[..<index] {
                let least = min(ink(digit), ink(other)) - common
                #expect(least > 0)
                #expect(difference(digit, other) * 4 > least, "\(index) in \(typeface)")
            }
        }
    }

    @Test func raisedDigitsAreAboveAndLoweredOnesBelow() {
        /// The rows that hold something dark.
        func rows(_ text: String) -> ClosedRange<Int> {
            let picture = written(text)
            let rows = (0..<60).filter { y in (0..<60).contains { picture[$0, y, 0] < 150 } }
            return (rows.first ?? 0)...(rows.last ?? 0)
        }
        let (plain, high, low) = (rows("7"), rows("⁷"), rows("₇"))
        #expect(high.lowerBound < plain.lowerBound && high.upperBound < plain.upperBound - 5)
        #expect(low.upperBound > plain.upperBound + 2 && low.lowerBound > plain.lowerBound + 5)
        #expect(high.count < plain.count && abs(plain.count - 31) <= 2)
    }

    @Test func textsLieAtTheirAnchors() {
        func columns(_ anchor: TextAnchor) -> ClosedRange<Int> {
            let canvas = Canvas(width: 200, height: 40)
            canvas.write("HHHH", at: Point(x: 100, y: 30), size: 14, colour: .ink, anchor: anchor)
            let picture = canvas.picture
            let dark = (0..<200).filter { x in (0..<40).contains { picture[x, $0, 0] < 150 } }
            return (dark.first ?? 0)...(dark.last ?? 0)
        }
        let (start, middle, end) = (columns(.start), columns(.middle), columns(.end))
        #expect(start.lowerBound >= 100 && start.lowerBound < 104)
        #expect(end.upperBound < 100 && end.upperBound > 95)
        #expect(abs(middle.lowerBound + middle.upperBound - 199) <= 3)
        let width = Canvas(width: 1, height: 1).width(of: "HHHH", size: 14)
        #expect(abs(width - Double(start.count)) < 5)
    }

    // MARK: Shapes

    /// Lines and discs of one call that overlap are no darker than one of them.
    @Test func nothingAddsUp() {
        let line = [Point(x: 10, y: 30), Point(x: 50, y: 30)]
        let (once, twice) = (Canvas(width: 60, height: 60), Canvas(width: 60, height: 60))
        once.stroke([line], width: 6, colour: .ink, opacity: 0.4)
        twice.stroke([line, line.reversed()], width: 6, colour: .ink, opacity: 0.4)
        #expect(once.picture == twice.picture)
        let point = Point(x: 30, y: 20)
        once.dots([point], radius: 5, colour: .ink, opacity: 0.4)
        twice.dots([point, point, point], radius: 5, colour: .ink, opacity: 0.4)
        // Their edges do, a little.
        #expect(once.picture[30, 20, 0] == twice.picture[30, 20, 0] && once.picture[30, 20, 0] < 200)
    }

    @Test func shapesAreCutAtAPlotsFrame() {
        let plot = Plot([.init(x: [0, 1], y: [0, 1], style: .dots, size: 40)])
        let picture = plot.picture(width: 300, height: 200)
        #expect(picture == plot.picture(width: 300, height: 200))
        // Margins hold no colour.
        let blue = (0..<200).flatMap { y in (0..<300).map { (x: $0, y: y) } }.filter {
            Int(picture[$0.x, $0.y, 2]) > Int(picture[$0.x, $0.y, 0]) + 60
        }
        #expect(!blue.isEmpty && blue.allSatisfy { $0.x > 28 && $0.x < 276 && $0.y > 20 && $0.y < 164 })
    }
}

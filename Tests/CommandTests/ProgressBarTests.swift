import LangevinCommand
import Testing

@Suite struct ProgressBarTests {
    private let half = Progress(step: 500, total: 1000, rate: 12.34, loss: 0.12345)

    @Test func lineHasBarAndFigures() {
        let line = ProgressBar.line(half, width: 80, colour: false)
        #expect(
            line == String(repeating: "━", count: 13) + String(repeating: "─", count: 14)
                + "  50% 500/1000, 12.3 steps/s, 41 s left, loss 0.1235")
        #expect(line.count == 79)
    }

    @Test func downloadsAreCountedInBytes() {
        let download = Progress(
            step: 1_234_567_890, total: 4_270_000_000, rate: 12_300_000, unit: .bytes)
        let line = ProgressBar.line(download, width: nil, colour: false)
        #expect(line == " 28% 1.23 GB of 4.27 GB, 12.3 MB/s, 4:07 left")
        let start = Progress(step: 0, total: 512, rate: 0, unit: .bytes)
        #expect(ProgressBar.line(start, width: nil, colour: false) == "  0% 0 bytes of 512 bytes, 0 bytes/s")
    }

    @Test func colourIsOnlyWhereItIsAskedFor() {
        let coloured = ProgressBar.line(half, width: 80, colour: true)
        #expect(coloured.hasPrefix("\u{1B}[32m━") && coloured.contains("\u{1B}[0m"))
        #expect(!ProgressBar.line(half, width: 80, colour: false).contains("\u{1B}"))
    }

    @Test func noBarWithoutATerminal() {
        #expect(
            ProgressBar.line(half, width: nil, colour: false)
                == " 50% 500/1000, 12.3 steps/s, 41 s left, loss 0.1235")
    }

    @Test(arguments: 1...200)
    func lineFitsTheTerminal(width: Int) {
        #expect(ProgressBar.line(half, width: width, colour: false).count <= width - 1)
    }

    @Test(arguments: [
        (0.25, 10, "4.0 s/step, 40 s left"), (1, 187, "1.0 steps/s, 3:07 left"),
        (2, 15_018, "2.0 steps/s, 2:05:09 left"), (1, 273_600, "3 d 04 h left"), (1e-12, 10, "ages left"),
    ])
    func ratesAndTimes(rate: Double, total: Int, expected: String) {
        let line = ProgressBar.line(Progress(step: 0, total: total, rate: rate), width: nil, colour: false)
        #expect(line.hasSuffix(expected), "\(line)")
    }

    @Test func numbersThatAreNone() {
        let line = ProgressBar.line(
            Progress(step: 9, total: 0, rate: nil, loss: .nan), width: nil, colour: false)
        #expect(line == "100% 9/0, loss nan")
        #expect(Progress(step: 20, total: 10, rate: 1).remaining == 0)
        #expect(Progress(step: 1, total: 10, rate: 0).remaining == nil)
        #expect(
            ProgressBar.line(Progress(step: 1, total: 2, loss: -0.00001), width: nil, colour: false)
                .hasSuffix("loss 0.0000"))
    }
}

import Foundation
import TestSupport
import Testing
import Training

@Suite struct MetricsLogTests {
    @Test func linesAreJSONAndReadBack() throws {
        let folder = try TemporaryFolder()
        let log = try MetricsLog("\(folder.path)/metrics.jsonl")
        try log.append(step: 1, [("loss", 0.1), ("a \"b\"\\\u{1}", 1e-7)], time: 2.5)
        try log.append(step: 2, [("loss", .nan), ("norm", .infinity)], time: 3)
        try log.synchronize()
        let text = String(decoding: folder.bytes("metrics.jsonl"), as: UTF8.self)
        #expect(
            text == """
                {"step":1,"time":2.5,"loss":0.1,"a \\"b\\"\\\\\\u0001":1e-07}
                {"step":2,"time":3.0,"loss":null,"norm":null}

                """)
        let lines = try MetricsLog.read(log.path)
        #expect(lines.map(\.step) == [1, 2])
        #expect(lines[0] == Metrics(step: 1, time: 2.5, values: ["loss": 0.1, "a \"b\"\\\u{1}": 1e-7]))
        #expect(lines[1].values["loss"]?.isNaN == true && lines[1].time == 3)
    }

    @Test func resumingDropsLaterAndCutLines() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/metrics.jsonl"
        func fill(_ steps: ClosedRange<Int>, after step: Int?) throws {
            let log = try MetricsLog(path, resumingAfter: step)
            for step in steps { try log.append(step: step, [("loss", 1 / Double(step))], time: Double(step)) }
        }
        try fill(1...10, after: nil)
        let whole = folder.bytes("metrics.jsonl")
        // The process died while it wrote the line of step 9.
        try Data(whole.dropLast(40)).write(to: URL(fileURLWithPath: path))
        try fill(7...10, after: 6)
        #expect(folder.bytes("metrics.jsonl") == whole)
        try fill(1...3, after: nil)
        #expect(try MetricsLog.read(path).map(\.step) == [1, 2, 3])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["metrics.jsonl"])
    }

    @Test func placesThatCannotBeWritten() {
        #expect(throws: RunError.self) { try MetricsLog("/dev/null/metrics.jsonl") }
        #expect(throws: RunError.self) { try MetricsLog.read("/none/metrics.jsonl") }
    }
}

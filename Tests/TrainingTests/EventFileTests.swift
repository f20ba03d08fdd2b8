import Foundation
import SwiftProtobuf
import TestSupport
import Testing
import Training

@Suite struct EventFileTests {
    /// The examples of RFC 3720, appendix B.4, and the check value of the polynomial.
    @Test func checksumIsThatOfRFC3720() {
        #expect(crc32c(repeatElement(0, count: 32)) == 0x8A91_36AA)
        #expect(crc32c(repeatElement(0xFF, count: 32)) == 0x62A8_AB43)
        #expect(crc32c(0..<32) == 0x46DD_794E)
        #expect(crc32c((0..<32).reversed()) == 0x113F_DB5C)
        #expect(crc32c("123456789".utf8) == 0xE306_9283)
    }

    /// The records of a TFRecord file, taken apart here by the format's description.
    private func records(_ bytes: [UInt8]) throws -> [[UInt8]] {
        func number(_ at: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * $1) }
        }
        var records: [[UInt8]] = []
        var at = 0
        while at < bytes.count {
            try #require(bytes.count >= at + 12)
            let length = Int(number(at, 8))
            #expect(number(at + 8, 4) == UInt64(maskedCRC32C(bytes[at..<at + 8])))
            try #require(bytes.count >= at + 16 + length)
            let record = Array(bytes[(at + 12)..<(at + 12 + length)])
            #expect(number(at + 12 + length, 4) == UInt64(maskedCRC32C(record)))
            records.append(record)
            at += 16 + length
        }
        return records
    }

    private func writeExample(_ folder: TemporaryFolder) throws -> [UInt8] {
        var time = 1000.0
        let name = "events.out.tfevents.example"
        let file = try EventFile(path: "\(folder.path)/\(name)", resumingAfter: 4) {
            time += 0.5
            return time
        }
        try file.write([("loss", 0.25), ("rate", 1e-3)], step: 5)
        try file.write(image: onePixel, width: 1, height: 1, channels: 1, tag: "samples", step: 6)
        return folder.bytes(name)
    }

    /// A grey PNG of one white pixel.
    private let onePixel: [UInt8] = Array(
        Data(
            base64Encoded:
                "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAtHPo1gAAAABJRU5ErkJggg=="
        )
            ?? Data())

    @Test func fileHoldsTheEvents() throws {
        let records = try records(writeExample(TemporaryFolder()))
        let events = try records.map { try Langevin_Event(serializedBytes: $0) }
        #expect(events.map(\.wallTime) == [1000.5, 1001, 1001.5, 1002])
        #expect(events.map(\.step) == [0, 5, 5, 6])
        #expect(events[0].fileVersion == "brain.Event:2")
        #expect(events[1].sessionLog.status == .start)
        #expect(events[2].summary.value.map(\.tag) == ["loss", "rate"])
        #expect(events[2].summary.value.map(\.simpleValue) == [0.25, 1e-3])
        #expect(Array(events[3].summary.value[0].image.encodedImageString) == onePixel)
        // The same event written by hand from the format's field numbers (1 double, 2 whole, 5 the summary;
        // in it 1 a value with 1 the tag and 2 the float).
        let loss: [UInt8] = [0x0A, 11, 0x0A, 4] + "loss".utf8 + [0x15, 0, 0, 0x80, 0x3E]
        let rate: [UInt8] = [0x0A, 11, 0x0A, 4] + "rate".utf8 + [0x15, 0x6F, 0x12, 0x83, 0x3A]
        #expect(records[2] == [0x09, 0, 0, 0, 0, 0, 0x4C, 0x8F, 0x40, 0x10, 5, 0x2A, 26] + loss + rate)
    }

    /// The same events written by TensorBoard's own writer (`Tools/oracle/events.py`).
    @Test func bytesAreThoseOfTensorBoardsWriter() throws {
        let expected = """
            GAAAAAAAAACjf0siCQAAAAAARI9AGg1icmFpbi5FdmVudDoyq6MzRQ8AAAAAAAAAbVMrCQkAAAAAAEiPQBAFOgIIAfCX\
            rtEnAAAAAAAAALvhsUYJAAAAAABMj0AQBSoaCgsKBGxvc3MVAACAPgoLCgRyYXRlFW8Sgzrt4vytZQAAAAAAAADr0Fpp\
            CQAAAAAAUI9AEAYqWApWCgdzYW1wbGVzIksIARABGAEiQ4lQTkcNChoKAAAADUlIRFIAAAABAAAAAQgAAAAAOn6bVQAA\
            AApJREFUeJxj+A8AAQEBALRz6NYAAAAASUVORK5CYIImkRRk
            """
        let written = try Data(writeExample(TemporaryFolder())).base64EncodedString()
        #expect(written == expected)
    }

    @Test func namesAreTheOnesThatTensorBoardLooksFor() throws {
        let folder = try TemporaryFolder()
        let first = try EventFile(folder: folder.path)
        let second = try EventFile(folder: folder.path)
        #expect(first.path != second.path)
        #expect(first.path.contains("/events.out.tfevents."))
        #expect(throws: RunError.self) { try EventFile(folder: folder.path + "/none") }
    }
}

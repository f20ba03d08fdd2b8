import Foundation
import Pictures
import TestSupport
import Testing

/// The loader as a work of `bench`.
@Suite struct BenchLoaderTests {
    @Test func theLoaderReadsAFolder() throws {
        let folder = try TemporaryFolder()
        for number in 0..<3 {
            try Picture(width: 40, height: 30, colour: [UInt8(number), 90, 200])
                .write(to: URL(fileURLWithPath: folder("\(number).jpg")))
        }
        let outcome = try Program.run(
            "bench", "loader", "--data", folder.path, "--rounds", "2", "--json")
        #expect(outcome.code == 0, "\(outcome.messages)")
        let json = try outcome.json()
        #expect(json["work"] as? String == "loader")
        #expect(try #require(json["median_ms"] as? Double) > 0)
    }

    @Test func foldersBelongToTheLoader() throws {
        let folder = try TemporaryFolder()
        try Program.expectRefused(["bench", "loader"], "--data")
        try Program.expectRefused(
            ["bench", "loader", "--data", folder.path], "no .png, .jpg or .webp picture")
        try Program.expectRefused(
            ["bench", "tiny-1000", "--data", folder.path], "--data: the work tiny-1000")
    }
}

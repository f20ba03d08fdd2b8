import Foundation
import Pictures

/// A committed reference that Tools/oracle/pictures.py has written.
func fixture<Content: Decodable>(_ name: String, as type: Content.Type = Content.self) throws -> Content {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../Fixtures/pictures/\(name).json")
    return try JSONDecoder().decode(type, from: Data(contentsOf: url))
}

/// A picture as the oracle records it.
struct Record: Decodable {
    let width: Int
    let height: Int
    let channels: Int
    let pixels: Data

    var picture: Picture {
        Picture(width: width, height: height, channels: channels, pixels: [UInt8](pixels))
    }
}

/// A file and what an independent decoder makes of it.
struct DecodingCase: Decodable {
    let name: String
    let file: Data
    let result: Record
}

/// A picture of random pixels that the seed decides.
func noise(width: Int, height: Int, channels: Int, seed: UInt64) -> Picture {
    var state = seed
    let pixels = (0..<(width * height * channels)).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(state >> 56)
    }
    return Picture(width: width, height: height, channels: channels, pixels: pixels)
}

/// The largest difference between two pictures of the same form.
func largestDifference(_ a: Picture, _ b: Picture) -> Int {
    zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
}

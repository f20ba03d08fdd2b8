import Foundation
import Pictures
import TestSupport

extension TarArchive {
    /// A picture of one grey level as a PNG.
    static func png(_ level: Int, width: Int = 2, height: Int = 2) throws -> [UInt8] {
        try [UInt8](
            Picture(width: width, height: height, colour: [UInt8(level)]).encoded(as: .png))
    }

    /// Samples `00000.png`, `.txt`, `.cls`, `.json` with levels of their numbers.
    static func samples(_ numbers: Range<Int>, classes: Int? = 3) throws -> TarArchive {
        var archive = TarArchive()
        for number in numbers {
            let key = "data/" + String(format: "%05d", number)
            archive.add(key + ".png", try png(number % 256))
            archive.add(key + ".txt", "number \(number)".utf8)
            if let classes { archive.add(key + ".cls", "\(number % classes)\n".utf8) }
            archive.add(
                key + ".json", #"{"name": "n\#(number)", "keywords": ["a\#(number)", "b\#(number)"]}"#.utf8)
        }
        return archive
    }
}

import Foundation
import Pictures
import TestSupport
import Testing

/// Texts in JPEG and WebP files, which keep them as Exif data.
struct PictureTextTests {
    private static let texts = [
        PictureText("parameters", "äpfel, 猫 🐈\nSteps: 20, Seed: 1"),
        PictureText("langevin", #"{"prompt":"äpfel","seed":1}"#),
    ]

    @Test(arguments: [PictureFormat.jpeg, .webp], [1, 3, 4])
    func textsComeBackAndPixelsStay(_ format: PictureFormat, _ channels: Int) throws {
        let picture = noise(width: 17, height: 9, channels: channels, seed: 9)
        for texts in [Self.texts, [Self.texts[0]], [Self.texts[1]], []] {
            let data = try picture.encoded(as: format, texts: texts)
            #expect(try Picture.texts(of: data) == texts)
            #expect(try Picture(decoding: data) == Picture(decoding: picture.encoded(as: format)))
        }
    }

    /// A comment that is longer than a segment of JPEG can be.
    @Test(arguments: [PictureFormat.jpeg, .webp])
    func longTextsComeBack(_ format: PictureFormat) throws {
        let long = PictureText("parameters", String(repeating: "a long prompt, ", count: 9000))
        let data = try noise(width: 8, height: 8, channels: 3, seed: 1).encoded(as: format, texts: [long])
        #expect(try Picture.texts(of: data) == [long])
        #expect(try Picture(decoding: data).width == 8)
    }

    /// Damaged Exif data are passed over: no text, or another one, and never a trap.
    @Test func damagedDataArePassedOver() throws {
        let whole = [UInt8](
            try noise(width: 8, height: 8, channels: 3, seed: 1).encoded(as: .jpeg, texts: Self.texts))
        let start = try #require(whole.indices.first { whole[$0...].starts(with: Array("II*\0".utf8)) })
        for position in start..<(start + 120) {
            for value in [0, 0x7F, 0xFF] as [UInt8] {
                var changed = whole
                changed[position] = value
                #expect(try Picture.texts(of: Data(changed)).count <= 3)
            }
        }
    }
}

import Foundation
import Pictures
import Tensors
import Testing

struct ResizingTests {
    struct Case: Decodable {
        let source: Record
        let filter: ResizeFilter
        let result: Record
    }

    @Test func everyFilterEqualsPillowByteForByte() throws {
        let cases: [Case] = try fixture("resizing")
        #expect(cases.count == 72)
        for reference in cases {
            let expected = reference.result.picture
            let result = reference.source.picture.resized(
                width: expected.width, height: expected.height, filter: reference.filter)
            let isEqual = result == expected
            #expect(
                isEqual,
                "\(reference.filter), \(expected.channels) channels, to \(expected.width)×\(expected.height)")
        }
    }

    @Test func boxByAWholeFactorIsTheMean() throws {
        let picture = noise(width: 12, height: 8, channels: 1, seed: 5)
        let half = picture.resized(width: 6, height: 8, filter: .box)
        for y in 0..<8 {
            for x in 0..<6 {
                #expect(Int(half[x, y]) == (Int(picture[2 * x, y]) + Int(picture[2 * x + 1, y]) + 1) / 2)
            }
        }
    }

    @Test func fillingCutsTheMiddle() throws {
        // A wide picture whose column is its value: 40 columns become 20, of which the middle 10 stay.
        let wide = Picture(width: 40, height: 20, channels: 1, pixels: (0..<800).map { UInt8($0 % 40) })
        let square = wide.filling(width: 10, height: 10, filter: .box)
        #expect(square.width == 10 && square.height == 10)
        let half = wide.resized(width: 20, height: 10, filter: .box)
        #expect(square == half.cropped(x: 5, y: 0, width: 10, height: 10))
        let tall = wide.filling(width: 4, height: 16, filter: .nearest)
        #expect(tall.width == 4 && tall.height == 16)
        for (width, height) in [(1, 1), (7, 3), (3, 7), (100, 1), (1, 100)] {
            let picture = noise(width: width, height: height, channels: 3, seed: 6).filling(
                width: 5, height: 9)
            #expect(picture.width == 5 && picture.height == 9)
        }
    }
}

struct TensorTests {
    struct Reference: Decodable {
        let values: [Float]
        let shape: [Int]
        let result: Record
        let levels: [Float]
    }

    @Test func bothWaysEqualDiffusersArithmetic() throws {
        let reference: Reference = try fixture("tensors")
        let tensor = Tensor(reference.values, shape: Shape(reference.shape))
        let picture = try Picture(tensor)
        #expect(picture == reference.result.picture)
        let ramp = Picture(width: 256, height: 1, channels: 1, pixels: (0...255).map { UInt8($0) })
        #expect(try ramp.tensor().array(of: Float.self) == reference.levels)
    }

    @Test func channelsBecomePlanes() throws {
        let picture = noise(width: 4, height: 3, channels: 3, seed: 7)
        let tensor = picture.tensor()
        #expect(Array(tensor.shape) == [3, 3, 4])
        let values = try tensor.array(of: Float.self)
        #expect(values[1 * 12 + 2 * 4 + 3] == Picture.level(picture[3, 2, 1]))
        #expect(try Picture(tensor) == picture)
        let other = noise(width: 4, height: 3, channels: 3, seed: 8)
        let batch = Tensor(values + (try other.tensor().array(of: Float.self)), shape: [2, 3, 3, 4])
        #expect(try Picture.pictures(of: batch) == [picture, other])
        #expect(try Picture(tensor.to(.float64)) == picture)
    }

    @Test func whatIsNoPictureIsAnError() throws {
        for shape in [[2, 3, 4], [24], [1, 1, 2, 12], [3, 0, 4]] as [Shape] {
            #expect(throws: PictureError.self) { try Picture(Tensor.zeros(shape)) }
        }
        #expect(throws: PictureError.self) { try Picture.pictures(of: Tensor.zeros([3, 4, 4])) }
        let odd = Tensor([.nan, .infinity, -.infinity, 0] as [Float], shape: [1, 2, 2])
        #expect(try Picture(odd).pixels == [0, 255, 0, 128])
    }
}

struct SheetTests {
    @Test func picturesStandOnTheGrid() throws {
        let pictures = (0..<5).map { Picture(width: 2, height: 3, colour: [UInt8($0 * 10)]) }
        let sheet = Sheet(columns: 3, padding: 1, magnification: 2, background: 200).picture(of: pictures)
        #expect(sheet.width == 3 * 5 + 1 && sheet.height == 2 * 7 + 1 && sheet.channels == 1)
        for (index, picture) in pictures.enumerated() {
            let (x, y) = (1 + index % 3 * 5, 1 + index / 3 * 7)
            #expect(sheet.cropped(x: x, y: y, width: 4, height: 6) == picture.magnified(by: 2))
            #expect(sheet[x - 1, y] == 200 && sheet[x, y - 1] == 200)
        }
        #expect(sheet[15, 14] == 200 && sheet[12, 8] == 200)
    }

    @Test func labelsStandBeforeTheirRows() throws {
        let pictures = [Picture](repeating: Picture(width: 16, height: 16, colour: [0, 0, 0]), count: 2)
        let plain = Sheet(columns: 1).picture(of: pictures)
        let sheet = Sheet(columns: 1, rowLabels: ["7", ""]).picture(of: pictures)
        let margin = sheet.width - plain.width
        #expect(
            margin > 0 && sheet.cropped(x: margin, y: 0, width: plain.width, height: plain.height) == plain)
        let ink = { (y: Int) in
            sheet.cropped(x: 0, y: y, width: margin, height: 16).pixels.count { $0 < 128 }
        }
        #expect(ink(2) > 20 && ink(20) == 0)
    }
}

struct AlphaTests {
    @Test func alphaIsTakenAndPutBack() {
        let picture = noise(width: 5, height: 3, channels: 4, seed: 9)
        #expect(picture.alpha.channels == 1 && picture.alpha[2, 1] == picture[2, 1, 3])
        #expect(picture.converted(toChannels: 3).with(alpha: picture.alpha) == picture)
        let opaque = picture.converted(toChannels: 1)
        #expect(opaque.alpha.pixels.allSatisfy { $0 == 255 })
        #expect(opaque.with(alpha: opaque.alpha) == opaque.converted(toChannels: 4))
    }
}

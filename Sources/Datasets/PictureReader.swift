import Foundation
import Pictures
import Tensors

/// A picture in the form that a data set wants: bytes in the order `[channels, height, width]`.
struct PlacedPicture: Sendable {
    let pixels: [UInt8]
    let framing: Framing
}

/// Reads pictures in the form that a data set wants.
struct PictureReader: Sendable {
    /// The size that pictures get without buckets.
    let width: Int
    let height: Int
    let channels: Int
    let background: Colour?
    let filter: ResizeFilter
    let buckets: AspectBuckets?
    let log: FindingsLog

    /// The picture in a file.
    func picture(of url: URL) throws(PictureError) -> PlacedPicture {
        do throws(PictureError) {
            return try picture(decoding: Picture.bytes(of: url), named: url.path)
        } catch {
            throw error.at(url.path)
        }
    }

    /// The picture in some bytes.
    /// - Parameter name: what findings call it.
    func picture(decoding bytes: [UInt8], named name: String) throws(PictureError) -> PlacedPicture {
        let stored = try Picture(decoding: bytes)
        if background == nil, stored.isTransparent { log.addTransparent(name) }
        let target = size(of: group(width: stored.width, height: stored.height))
        let picture = stored.converted(toChannels: channels, alpha: background.map { .over($0) } ?? .drop)
            .filling(width: target.width, height: target.height, filter: filter)
        return PlacedPicture(
            pixels: planes(picture),
            framing: Framing(of: (stored.width, stored.height), over: target))
    }

    private func planes(_ picture: Picture) -> [UInt8] {
        let count = picture.width * picture.height
        return [UInt8](unsafeUninitializedCapacity: picture.pixels.count) { planes, initialized in
            picture.pixels.withUnsafeBufferPointer { pixels in
                for channel in 0..<channels {
                    for pixel in 0..<count {
                        planes[channel * count + pixel] = pixels[pixel * channels + channel]
                    }
                }
            }
            initialized = picture.pixels.count
        }
    }

    // MARK: Sizes

    /// The number of the bucket of a picture; 0 where there are none.
    func group(width: Int, height: Int) -> Int { buckets?.nearest(width: width, height: height) ?? 0 }

    /// The size of the pictures of a bucket.
    func size(of group: Int) -> (width: Int, height: Int) {
        buckets.map { ($0.sizes[group].width, $0.sizes[group].height) } ?? (width, height)
    }

    /// The bucket of a file by its header. Throws where the header shows that it cannot be read.
    func group(of url: URL) throws(PictureError) -> Int {
        guard buckets != nil else {
            _ = try Picture.header(of: url)
            return 0
        }
        do throws(PictureError) {
            let size = try Picture.uprightSize(of: Picture.bytes(of: url))
            return group(width: size.width, height: size.height)
        } catch {
            throw error.at(url.path)
        }
    }

    // MARK: Batches

    /// Pictures of one size, `[batch, channels, height, width]` in [−1, 1], with their sizes.
    func batch(_ pictures: [PlacedPicture], labels: [Int]?) -> Batch {
        let levels = (0...255).map { Picture.level(UInt8($0)) }
        let first = pictures.first?.framing
        let (height, width) = (first?.height ?? height, first?.width ?? width)
        let length = channels * height * width
        let values = [Float](unsafeUninitializedCapacity: pictures.count * length) { values, initialized in
            for (place, picture) in pictures.enumerated() {
                precondition(picture.pixels.count == length, "pictures of two sizes in a batch")
                picture.pixels.withUnsafeBufferPointer { pixels in
                    for index in 0..<length { values[place * length + index] = levels[Int(pixels[index])] }
                }
            }
            initialized = pictures.count * length
        }
        var batch = Batch(
            data: Tensor(values, shape: [pictures.count, channels, height, width]),
            labels: labels.map { Tensor($0.map(Int64.init), shape: [$0.count]) })
        batch.record(pictures.map(\.framing))
        return batch
    }
}

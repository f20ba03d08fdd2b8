import Datasets
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// Pictures of many shapes that stream from shards: batches of one size, every picture as often as any other, and an order that
/// goes on exactly from any position.
struct ShardBucketTests {
    private static let shapes = [(32, 32), (64, 32), (32, 64), (100, 52), (31, 33)]

    /// Shards of 14, 3 and 23 pictures whose grey levels are their numbers; the second one is packed. The last three pictures
    /// alone are four times as wide as high.
    private func shards(in folder: URL) throws -> [String] {
        try [0..<14, 14..<17, 17..<40].enumerated().map { number, range in
            var archive = TarArchive()
            for sample in range {
                let (width, height) = sample < 37 ? Self.shapes[sample % 5] : (128, 32)
                archive.add("\(10 + sample).png", try TarArchive.png(sample, width: width, height: height))
                archive.add("\(10 + sample).txt", "\(sample) or\n\(sample)".utf8)
            }
            let bytes = archive.closed
            let name = "shard-\(number).tar" + (number == 1 ? ".gz" : "")
            return try folder.write(Data(number == 1 ? gzipped(bytes) : bytes), as: name).path
        }
    }

    private func dataset(_ paths: [String], part: ShardDataset.Part = .all) throws -> ShardDataset {
        try ShardDataset(
            paths, width: 16, height: 16, channels: 1, part: part, readsCaptions: true,
            buckets: AspectBuckets(size: 16, step: 4, ratio: 4), shuffleBuffer: 9)
    }

    private func numbers(_ batch: Batch) throws -> [Int] {
        let levels = try batch.data.array(of: Float.self)
        let length = batch.data.shape.elementCount / batch.data.shape[0]
        return stride(from: 0, to: levels.count, by: length).map { Int(((levels[$0] + 1) * 127.5).rounded()) }
    }

    @Test func batchesAreOfOneSizeAndKnowIt() throws {
        try withTemporaryFolder { folder in
            let data = try dataset(shards(in: folder))
            let groups = try #require(data.shapeGroups)
            let buckets = try AspectBuckets(size: 16, step: 4, ratio: 4)
            var stream = try data.batches(.init(count: 40, batchSize: 4, seed: 3), at: .init())
            var met: [Int] = []
            for _ in 0..<60 {
                let batch = try stream.next()()
                let own = try numbers(batch)
                let bucket = buckets.sizes[groups[own[0]]]
                #expect(Set(own.map { groups[$0] }).count == 1)
                #expect(Array(batch.data.shape) == [4, 1, bucket.height, bucket.width])
                let sizes = try #require(batch.tensors["original_size"]).array(of: Float.self)
                for (row, number) in own.enumerated() {
                    let (width, height) = number < 37 ? Self.shapes[number % 5] : (128, 32)
                    #expect(sizes[2 * row] == Float(height) && sizes[2 * row + 1] == Float(width))
                }
                met += own
            }
            // Six epochs' worth: no picture is met more often than another by more than what waits.
            for number in 0..<40 { #expect((4...7).contains(met.count { $0 == number })) }
            // The same pictures by their numbers.
            let wide = try data.batch(at: [37, 39])
            #expect(try numbers(wide) == [37, 39] && Array(wide.data.shape) == [2, 1, 8, 32])
        }
    }

    /// From every position on, a new stream goes on with the same bits, also where a picture has waited for epochs.
    @Test(arguments: [BatchOrder.Remainder.wrap, .drop], [ShardDataset.Part.all, .train])
    func everyPositionResumes(_ remainder: BatchOrder.Remainder, _ part: ShardDataset.Part) throws {
        try withTemporaryFolder { folder in
            let paths = try shards(in: folder)
            let count = part == .all ? 40 : 36
            let order = BatchOrder.Configuration(
                count: count, batchSize: 5, seed: 7, remainder: remainder, mirrors: true)
            var whole = try dataset(paths, part: part).batches(order, at: .init())
            for _ in 0..<30 {
                var resumed = try dataset(paths, part: part).batches(order, at: whole.position)
                for _ in 0..<2 {
                    let (one, other) = (try whole.next()(), try resumed.next()())
                    #expect(try one.data.isIdentical(to: other.data))
                    #expect(one.captions == other.captions && one.texts == other.texts)
                }
                #expect(whole.position == resumed.position)
            }
        }
    }

    // The checksum of the pixels is damaged, not the header that tells the size.

    /// Where a damaged picture is alone in its bucket, nothing can stand in for it: an error, and no endless search.
    @Test func aDamagedPictureThatIsAloneIsAnError() throws {
        try withTemporaryFolder { folder in
            var archive = TarArchive()
            for sample in 0..<40 {
                var png = try TarArchive.png(sample, width: sample == 6 ? 64 : 16, height: 16)
                if sample == 6 { png[png.count - 14] ^= 0xFF }
                archive.add("\(10 + sample).png", png)
                archive.add("\(10 + sample).txt", "\(sample)".utf8)
                _ = try folder.write(Data(png), as: "\(10 + sample).png")
            }
            let shards = try dataset([folder.write(Data(archive.closed), as: "a.tar").path])
            #expect(throws: DatasetError.self) { try shards.batch(at: [6]) }
            let pictures = try FolderDataset(
                folder: folder, width: 16, height: 16, channels: 1,
                buckets: AspectBuckets(size: 16, step: 4, ratio: 4), memoryLimit: 0)
            #expect(throws: DatasetError.self) { try pictures.batch(at: [6]) }
        }
    }

    /// A damaged picture is noted, and another one of its size stands in.
    @Test func aDamagedPictureHasAnotherOfItsSizeInItsPlace() throws {
        try withTemporaryFolder { folder in
            var archive = TarArchive()
            for sample in 0..<40 {
                var png = try TarArchive.png(sample, width: sample % 2 == 0 ? 32 : 16, height: 16)
                if sample == 6 { png[png.count - 14] ^= 0xFF }
                archive.add("\(10 + sample).png", png)
                archive.add("\(10 + sample).txt", "\(sample)".utf8)
            }
            let data = try dataset([folder.write(Data(archive.closed), as: "a.tar").path])
            #expect(try numbers(data.batch(at: [4, 6])) == [4, 8])
            var stream = try data.batches(.init(count: 40, batchSize: 4, seed: 3), at: .init())
            let met = try (0..<10).flatMap { _ in try numbers(stream.next()()) }
            #expect(met.count == 40 && !met.contains(6))
            #expect(data.findings.damaged.count == 1)
        }
    }
}

import Datasets
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// Sizes of one area and many shapes, batches of one size, and an order that meets every picture as often as any other.
struct AspectBucketTests {
    /// Drawn sizes, steps and ratios: sides are multiples, areas no larger, shapes within the ratio; each size has its
    /// counterpart, and the square is there where the step divides it.
    @Test(arguments: 0..<200 as Range<UInt64>) func sizesKeepTheirBounds(seed: UInt64) throws {
        var generator = SplitMix(seed: seed)
        let step = [1, 8, 16, 32, 64][Int(generator.next() % 5)]
        let size = step * (1 + Int(generator.next() % 20)) + Int(generator.next() % UInt64(step))
        let ratio = 1 + Double(generator.next() % 300) / 100
        let buckets = try AspectBuckets(size: size, step: step, ratio: ratio)
        #expect(buckets.sizes == buckets.sizes.sorted() && Set(buckets.sizes).count == buckets.sizes.count)
        for bucket in buckets.sizes {
            let (width, height) = (bucket.width, bucket.height)
            #expect(width % step == 0 && height % step == 0 && width > 0 && height > 0)
            #expect(width * height <= size * size)
            #expect(Double(max(width, height)) <= ratio * Double(min(width, height)))
            // No longer side would fit.
            #expect(width * (height + step) > size * size || height * (width + step) > size * size)
            #expect(buckets.sizes.contains { $0.width == height && $0.height == width })
        }
        if size % step == 0 { #expect(buckets.sizes.contains { $0.width == size && $0.height == size }) }
        // A picture of a bucket's shape goes into it.
        for (number, bucket) in buckets.sizes.enumerated() {
            let found = buckets.sizes[buckets.nearest(width: bucket.width * 3, height: bucket.height * 3)]
            let same = buckets.sizes[number]
            #expect(found.width * same.height == same.width * found.height)
        }
    }

    @Test func sizesThatCannotBeAreRefused() {
        for (size, step, ratio) in [(64, 0, 2.0), (64, 65, 2), (64, 8, 0.5), (20_000, 8, 2), (64, 8, .nan)] {
            #expect(throws: DatasetError.self) { try AspectBuckets(size: size, step: step, ratio: ratio) }
        }
    }

    private func png(_ width: Int, _ height: Int, _ level: Int) throws -> Data {
        try Picture(width: width, height: height, colour: [UInt8(level)]).encoded(as: .png)
    }

    @Test(arguments: [1 << 30, 0]) func batchesAreOfOneSizeAndKnowIt(memoryLimit: Int) throws {
        try withTemporaryFolder { folder in
            let shapes = [(32, 32), (64, 32), (32, 64), (100, 52), (31, 33)]
            for number in 0..<40 {
                let (width, height) = shapes[number % shapes.count]
                _ = try folder.write(png(width, height, number), as: String(format: "%02d.png", number))
            }
            let buckets = try AspectBuckets(size: 16, step: 4, ratio: 4)
            let data = try FolderDataset(
                folder: folder, width: 16, height: 16, channels: 1, buckets: buckets,
                memoryLimit: memoryLimit)
            let groups = try #require(data.shapeGroups)
            var stream = try data.batches(.init(count: 40, batchSize: 4, seed: 3), at: .init())
            var met: [Int] = []
            for _ in 0..<30 {
                let batch = try stream.next()()
                let levels = try batch.data.array(of: Float.self)
                let count = batch.data.shape.elementCount / 4
                let numbers = (0..<4).map { Int(((levels[$0 * count] + 1) * 127.5).rounded()) }
                let bucket = buckets.sizes[groups[numbers[0]]]
                #expect(Set(numbers.map { groups[$0] }).count == 1)
                #expect(Array(batch.data.shape) == [4, 1, bucket.height, bucket.width])
                let sizes = try Batch.sizeNames.map { try batch.tensors[$0]!.array(of: Float.self) }
                for (row, number) in numbers.enumerated() {
                    let (width, height) = shapes[number % shapes.count]
                    #expect(Array(sizes[0][(2 * row)...].prefix(2)) == [Float(height), Float(width)])
                    #expect(
                        Array(sizes[2][(2 * row)...].prefix(2)) == [
                            Float(bucket.height), Float(bucket.width),
                        ])
                }
                met += numbers
            }
            // Three epochs: no picture was met more often than others by more than what waits.
            for number in 0..<40 { #expect((2...3).contains(met.count { $0 == number })) }
        }
    }

    /// The corner of what is cut out is where it was in the resized picture.
    @Test func cornersAreThoseOfTheCut() throws {
        try withTemporaryFolder { folder in
            _ = try folder.write(png(40, 16, 1), as: "a.png")
            _ = try folder.write(png(16, 41, 1), as: "b.png")
            let data = try FolderDataset(folder: folder, width: 8, height: 8, channels: 1)
            let batch = try data.batch(at: [0, 1])
            #expect(try batch.tensors["crop_top_left"]?.array(of: Float.self) == [0, 6, 6, 0])
            #expect(try batch.tensors["original_size"]?.array(of: Float.self) == [16, 40, 41, 16])
            #expect(try batch.tensors["target_size"]?.array(of: Float.self) == [8, 8, 8, 8])
        }
    }

    /// A picture that stands upright by its Exif data only goes into the bucket of what is seen.
    @Test func picturesAreSortedAsTheyAreSeen() throws {
        try withTemporaryFolder { folder in
            let picture = try Picture(width: 64, height: 16, colour: [9]).encoded(as: .jpeg)
            // Exif with orientation 6: turned by a quarter.
            let tiff: [UInt8] = [
                0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
            ]
            let body = Array("Exif".utf8) + [0, 0] + tiff
            let segment: [UInt8] = [0xFF, 0xE1, 0, UInt8(body.count + 2)] + body
            _ = try folder.write(
                Data(picture.prefix(2)) + Data(segment) + Data(picture.dropFirst(2)), as: "a.jpg")
            for memoryLimit in [1 << 30, 0] {
                let data = try FolderDataset(
                    folder: folder, width: 16, height: 16, channels: 1,
                    buckets: AspectBuckets(size: 16, step: 8, ratio: 4), memoryLimit: memoryLimit)
                let batch = try data.batch(at: [0])
                #expect(Array(batch.data.shape) == [1, 1, 32, 8])
                #expect(try batch.tensors["original_size"]?.array(of: Float.self) == [64, 16])
            }
        }
    }

    // MARK: The order

    private func order(
        _ groups: [Int], _ size: Int, seed: UInt64, _ remainder: BatchOrder.Remainder = .wrap,
        at position: BatchOrder.Position = .init()
    ) throws -> BatchOrder {
        try BatchOrder(
            .init(count: groups.count, batchSize: size, seed: seed, remainder: remainder, mirrors: true),
            groups: groups, at: position)
    }

    /// Drawn groups: batches are of one group, every picture is met as often as others but for those that wait, and from
    /// every position the order goes on alike.
    @Test(arguments: 0..<40 as Range<UInt64>) func ordersOfGroupsKeepTheirPromises(seed: UInt64) throws {
        var generator = SplitMix(seed: seed)
        let (count, kinds) = (20 + Int(generator.next() % 60), 1 + generator.next() % 6)
        // Some groups are rare.
        let groups = (0..<count).map { _ in Int(min(generator.next() % kinds, generator.next() % kinds)) }
        let size = 1 + Int(generator.next() % 7)
        let remainder: BatchOrder.Remainder = seed % 4 == 3 ? .drop : .wrap
        guard
            remainder == .wrap
                || Dictionary(grouping: groups, by: { $0 }).values.contains(where: { $0.count >= size })
        else { return }
        var whole = try order(groups, size, seed: seed, remainder)
        var met = [Int](repeating: 0, count: count)
        while whole.position.epoch < 5 {
            var resumed = try order(groups, size, seed: seed, remainder, at: whole.position)
            let draw = whole.next()
            #expect(resumed.next() == draw && resumed.position == whole.position)
            #expect(draw.indices.count == size && Set(draw.indices.map { groups[$0] }).count == 1)
            for index in draw.indices { met[index] += 1 }
        }
        guard remainder == .wrap else { return #expect(met.allSatisfy { $0 <= 6 }) }
        for (group, numbers) in Dictionary(grouping: 0..<count, by: { groups[$0] }) {
            // Those of the sixth epoch that were met, and those that wait.
            let waiting = 5 * numbers.count - numbers.reduce(0) { $0 + min(met[$1], 5) }
            #expect(waiting < size, "group \(group)")
            #expect(numbers.allSatisfy { met[$0] <= 6 })
        }
    }

    /// One group is the plain order.
    @Test func oneGroupIsThePlainOrder() throws {
        let configuration = BatchOrder.Configuration(count: 23, batchSize: 5, seed: 9, mirrors: true)
        var plain = try BatchOrder(configuration)
        var grouped = try BatchOrder(configuration, groups: [Int](repeating: 2, count: 23))
        for _ in 0..<30 {
            #expect(plain.next() == grouped.next())
            #expect(plain.position == grouped.position)
        }
    }

    @Test func groupsThatFillNoBatchCannotBeDropped() {
        #expect(throws: DatasetError.self) { try order([0, 0, 1, 1], 3, seed: 0, .drop) }
    }

    /// The order of an independent implementation (`Tools/oracle/data_order.py`).
    @Test func theOrderIsThatOfTheOracle() throws {
        struct Case: Decodable {
            let count, batch_size: Int
            let seed: UInt64
            let groups: [Int]?
            let batches: [[Int]]
            let mirrored: [[Bool]]
            let positions: [[Int]]
            let size, step: Int
            let ratio: Double
            let buckets: [[Int]]
            let pictures: [[Int]]
            let nearest: [Int]
        }
        // Fresh cases where a file of them is named.
        let given = ProcessInfo.processInfo.environment["LANGEVIN_DATA_ORDER"]
        let committed = packageFolder.appending(path: "Tests/Fixtures/data_order/cases.json")
        let url = given.map { URL(fileURLWithPath: $0) } ?? committed
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: url))
        #expect(cases.count >= 20)
        for reference in cases {
            var order = try BatchOrder(
                .init(
                    count: reference.count, batchSize: reference.batch_size, seed: reference.seed,
                    mirrors: true), groups: reference.groups)
            for (step, indices) in reference.batches.enumerated() {
                let draw = order.next()
                #expect(draw.indices == indices && draw.isMirrored == reference.mirrored[step])
                #expect([order.position.epoch, order.position.index] == reference.positions[step])
            }
            let buckets = try AspectBuckets(
                size: reference.size, step: reference.step, ratio: reference.ratio)
            #expect(buckets.sizes.map { [$0.width, $0.height] } == reference.buckets)
            for (picture, place) in zip(reference.pictures, reference.nearest) {
                #expect(buckets.nearest(width: picture[0], height: picture[1]) == place)
            }
        }
    }
}

import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

struct BatchOrderTests {
    private func order(
        _ count: Int, _ size: Int, seed: UInt64 = 0, _ remainder: BatchOrder.Remainder = .wrap,
        mirrors: Bool = false,
        at position: BatchOrder.Position = .init()
    ) throws -> BatchOrder {
        try BatchOrder(
            .init(count: count, batchSize: size, seed: seed, remainder: remainder, mirrors: mirrors),
            at: position)
    }

    @Test func theGeneratorIsThePublishedOne() {
        // The first outputs for this seed, as published with the C code of Vigna.
        var generator = SplitMix64(seed: 1_234_567)
        let expected: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
        #expect(expected.map { _ in generator.next() } == expected)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func everyEpochMeetsEveryPictureOnce(seed: UInt64) throws {
        var order = try order(103, 10, seed: seed)
        var met: [Int] = []
        for _ in 0..<103 { met += order.next().indices }
        for epoch in 0..<10 {
            #expect(met[(epoch * 103)..<((epoch + 1) * 103)].sorted() == Array(0..<103))
        }
        #expect(met.prefix(103) != met[103..<206])
        #expect(order.position == .init(epoch: 9, index: 103))
    }

    @Test func droppingKeepsEpochsApart() throws {
        var order = try order(23, 5, seed: 4, .drop)
        for epoch in 0..<6 {
            var met: [Int] = []
            for _ in 0..<4 {
                met += order.next().indices
                #expect(order.position.epoch == epoch)
            }
            #expect(Set(met).count == 20)
        }
    }

    @Test func batchesLargerThanTheSetWrap() throws {
        var order = try order(3, 8)
        let indices = order.next().indices
        #expect(indices.count == 8 && order.position == .init(epoch: 2, index: 2))
        #expect(indices[0..<3].sorted() == [0, 1, 2] && indices[3..<6].sorted() == [0, 1, 2])
    }

    @Test func aPositionResumesExactly() throws {
        for remainder in [BatchOrder.Remainder.wrap, .drop] {
            var whole = try order(57, 8, seed: 11, remainder, mirrors: true)
            for _ in 0..<50 {
                let saved = try JSONEncoder().encode(whole.position)
                let position = try JSONDecoder().decode(BatchOrder.Position.self, from: saved)
                var resumed = try order(57, 8, seed: 11, remainder, mirrors: true, at: position)
                let next = whole.next()
                #expect(resumed.next() == next)
                #expect(resumed.position == whole.position)
            }
        }
    }

    @Test func seedsGiveDifferentOrders() throws {
        let firsts = try (0..<200).map { seed in
            var order = try order(50, 50, seed: UInt64(seed))
            return order.next().indices
        }
        #expect(Set(firsts).count == 200)
    }

    @Test func allPermutationsAreEquallyLikely() throws {
        // 24 permutations of 4 pictures in 24,000 epochs: χ² with 23 degrees of freedom is below 62 with
        // probability 1 − 2·10⁻⁵.
        var counts: [[Int]: Int] = [:]
        var order = try order(4, 4, seed: 2026)
        for _ in 0..<24_000 { counts[order.next().indices, default: 0] += 1 }
        #expect(counts.count == 24)
        let chiSquared = counts.values.reduce(0.0) { $0 + pow(Double($1) - 1000, 2) / 1000 }
        #expect(chiSquared < 62, "\(chiSquared)")
    }

    @Test func mirroringIsAFairCoinOfItsOwn() throws {
        var order = try order(100, 100, seed: 5, mirrors: true)
        var mirrored = [Int](repeating: 0, count: 100)
        for _ in 0..<400 {
            let draw = order.next()
            for (index, isMirrored) in zip(draw.indices, draw.isMirrored) where isMirrored {
                mirrored[index] += 1
            }
        }
        // 40,000 throws have a standard deviation of 100; each picture's 400 throws one of 10.
        #expect(abs(mirrored.reduce(0, +) - 20_000) < 500)
        #expect(mirrored.allSatisfy { abs($0 - 200) < 55 })
        var plain = try self.order(100, 100, seed: 5)
        var again = try self.order(100, 100, seed: 5, mirrors: true)
        let draw = plain.next()
        #expect(draw.indices == again.next().indices && !draw.isMirrored.contains(true))
    }

    @Test func mirroredPicturesAreMirrored() throws {
        let digits = try DigitsDataset(contentsOf: digitsFile)
        var order = try order(digits.count, 6, seed: 3, mirrors: true)
        let draw = order.next()
        #expect(draw.isMirrored.contains(true) && draw.isMirrored.contains(false))
        let plain = try digits.batch(at: draw.indices)
        let batch = try digits.batch(for: draw)
        let (a, b) = (try plain.data.array(of: Float.self), try batch.data.array(of: Float.self))
        for (picture, isMirrored) in draw.isMirrored.enumerated() {
            for row in (picture * 8)..<(picture * 8 + 8) {
                let original = Array(a[(row * 8)..<(row * 8 + 8)])
                #expect(Array(b[(row * 8)..<(row * 8 + 8)]) == (isMirrored ? original.reversed() : original))
            }
        }
        #expect(try batch.labels?.array(of: Int.self) == plain.labels?.array(of: Int.self))
    }

    @Test func impossibleOrdersAreErrors() {
        #expect(throws: DatasetError.self) { try order(0, 4) }
        #expect(throws: DatasetError.self) { try order(4, 0) }
        #expect(throws: DatasetError.self) { try order(4, 5, .drop) }
        #expect(throws: DatasetError.self) { try order(4, 2, at: .init(epoch: 0, index: 5)) }
        #expect(throws: DatasetError.self) { try order(4, 2, at: .init(epoch: -1, index: 0)) }
    }
}

struct InflateTests {
    @Test func bombsAreStopped() throws {
        // A gzip of 64 MiB zeros is 64 kB; the header of an idx file in it claims 16 pixels.
        let members = try withTemporaryFolder { folder -> Data in
            let process = Process()
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = [
                "-c", #"(printf '\0\0\10\3\0\0\0\1\0\0\0\4\0\0\0\4'; head -c 67108864 /dev/zero) | gzip -9"#,
            ]
            let output = folder.appending(path: "bomb.gz")
            try Data().write(to: output)
            process.standardOutput = try FileHandle(forWritingTo: output)
            try process.run()
            process.waitUntilExit()
            return try Data(contentsOf: output)
        }
        #expect(members.count < 100_000)
        try withTemporaryFolder { folder in
            let url = try folder.write(members, as: "images.gz")
            let error = #expect(throws: DatasetError.self) { try IdxDataset(images: url, labels: nil) }
            #expect(error?.description.contains("more than") == true)
        }
    }
}

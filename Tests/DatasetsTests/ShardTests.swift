import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

/// What is in shards comes out of them: samples, captions, classes, parts, in an order that resumes anywhere.
struct ShardTests {
    /// Three shards of 17, 5 and 30 samples; the second one packed.
    private func shards(in folder: URL, classes: Int? = 3) throws -> [String] {
        let archives = try [0..<17, 17..<22, 22..<52].map {
            try TarArchive.samples($0, classes: classes).closed
        }
        return try archives.enumerated().map { number, bytes in
            let name = "shard-\(number).tar" + (number == 1 ? ".gz" : "")
            return try folder.write(Data(number == 1 ? gzipped(bytes) : bytes), as: name).path
        }
    }

    private func dataset(
        _ paths: [String], part: ShardDataset.Part = .all, captions: Bool = true,
        columns: [CaptionColumn] = [], buffer: Int = 7
    ) throws -> ShardDataset {
        try ShardDataset(
            paths, width: 1, height: 1, channels: 1, part: part, readsCaptions: captions,
            captionColumns: columns, shuffleBuffer: buffer)
    }

    /// The numbers of the samples of a batch, by their grey levels.
    private func numbers(_ batch: Batch) throws -> [Int] {
        try batch.data.array(of: Float.self).map { Int((($0 + 1) * 127.5).rounded()) }
    }

    @Test func samplesComeByTheirNumbers() throws {
        try withTemporaryFolder { folder in
            let data = try dataset(shards(in: folder))
            #expect(data.count == 52 && Array(data.exampleShape) == [1, 1, 1] && data.classCount == 3)
            // Up, down, twice, in other shards.
            for indices in [[0, 1, 2, 16, 17, 21, 22, 51], [51, 3, 3, 18], [4], [5, 6, 40]] {
                let batch = try data.batch(at: indices)
                #expect(try numbers(batch) == indices)
                #expect(try batch.labels?.array(of: Int.self) == indices.map { $0 % 3 })
                #expect(batch.captions == indices.map { ["number \($0)"] })
                #expect(batch.texts["relpath"] == indices.map { "data/" + String(format: "%05d", $0) })
                #expect(batch.texts["file_path_"]?.allSatisfy { $0.hasSuffix(".png") } == true)
                #expect(batch.texts["human_label"] == indices.map { "\($0 % 3)" })
            }
            #expect(data.captions == (0..<52).map { "number \($0)" })
            #expect(try dataset(shards(in: folder), captions: false).batch(at: [0]).captions == nil)
        }
    }

    @Test func partsAreHonoured() throws {
        try withTemporaryFolder { folder in
            let paths = try shards(in: folder)
            let held = try dataset(paths, part: .evaluation)
            #expect(try numbers(held.batch(at: Array(0..<held.count))) == [9, 19, 29, 39, 49])
            let train = try dataset(paths, part: .train)
            let expected = (0..<52).filter { $0 % 10 != 9 }
            #expect(train.count == 47 && train.findings.heldBack == 5)
            #expect(try numbers(train.batch(at: Array(0..<47))) == expected)
            var stream = try train.batches(.init(count: 47, batchSize: 47, seed: 1), at: .init())
            #expect(try numbers(stream.next()()).sorted() == expected)
            #expect(train.captions == expected.map { "number \($0)" })
        }
    }

    @Test(arguments: [1, 7, 1000]) func everyEpochMeetsEverySampleOnce(buffer: Int) throws {
        try withTemporaryFolder { folder in
            let data = try dataset(shards(in: folder), buffer: buffer)
            var stream = try data.batches(.init(count: 52, batchSize: 4, seed: 5), at: .init())
            let met = try (0..<39).flatMap { _ in try numbers(stream.next()()) }
            for epoch in 0..<3 {
                #expect(met[(epoch * 52)..<(epoch * 52 + 52)].sorted() == Array(0..<52))
            }
            #expect(met[..<52] != met[52..<104])
            #expect(stream.position == .init(epoch: 2, index: 52))
            // A buffer of one leaves samples in the order of their shards.
            let inOrder = met[..<52].indices.dropFirst().count { met[$0] == met[$0 - 1] + 1 }
            #expect(buffer == 1 ? inOrder >= 49 : inOrder < 35)
        }
    }

    /// From every position on, a new stream goes on with the same bits: mirrored, captioned and labelled alike.
    @Test(arguments: [BatchOrder.Remainder.wrap, .drop]) func everyPositionResumes(
        _ remainder: BatchOrder.Remainder
    )
        throws
    {
        try withTemporaryFolder { folder in
            let paths = try shards(in: folder)
            let columns = [CaptionColumn("keywords", share: 2), CaptionColumn("txt")]
            let open = { try dataset(paths, columns: columns) }
            let order = BatchOrder.Configuration(
                count: 52, batchSize: 5, seed: 77, remainder: remainder, mirrors: true)
            var whole = try open().batches(order, at: .init())
            for _ in 0..<25 {
                let saved = try JSONEncoder().encode(whole.position)
                let position = try JSONDecoder().decode(BatchOrder.Position.self, from: saved)
                var resumed = try open().batches(order, at: position)
                for (one, other) in [(try whole.next()(), try resumed.next()())] {
                    #expect(try one.data.isIdentical(to: other.data))
                    #expect(one.captions == other.captions && one.texts == other.texts)
                }
                #expect(whole.position == resumed.position)
            }
        }
    }

    /// Whatever the number of batches ahead and of threads, they are the same.
    @Test func workersChangeNothing() throws {
        try withTemporaryFolder { folder in
            let data = try dataset(shards(in: folder))
            let order = BatchOrder.Configuration(count: 52, batchSize: 3, seed: 2, mirrors: true)
            func batches(ahead: Int, workers: Int) throws -> [[Int]] {
                let loader = try BatchLoader(data, order, ahead: ahead, workers: workers)
                return try (0..<40).map { step in
                    if step % 11 == 10 { loader.stop() }
                    return try numbers(loader.next())
                }
            }
            let expected = try batches(ahead: 0, workers: 1)
            #expect(try batches(ahead: 1, workers: 1) == expected)
            #expect(try batches(ahead: 4, workers: 3) == expected)
        }
    }

    @Test func columnsAreDrawnByTheirShares() throws {
        try withTemporaryFolder { folder in
            let path = try folder.write(Data(TarArchive.samples(0..<200).closed), as: "a.tar").path
            let columns = [CaptionColumn("keywords", share: 1), CaptionColumn("txt", share: 3)]
            let data = try dataset([path], columns: columns)
            #expect(try data.batch(at: [4]).captions == [["a4", "b4", "number 4"]])
            #expect(try data.batch(at: [4]).captionWeights == [[0.5, 0.5, 3]])
            var stream = try data.batches(.init(count: 200, batchSize: 200, seed: 3), at: .init())
            let drawn = try (0..<10).flatMap { _ in try stream.next()().captions!.map { $0[0] } }
            // 2,000 draws with p = 3/4: 5 deviations are 97.
            let texts = drawn.count { $0.hasPrefix("number") }
            #expect(abs(texts - 1500) < 97, "\(texts)")
            let first = drawn.count { $0.hasPrefix("a") }
            #expect(abs(first - 250) < 74, "\(first)")
        }
    }

    @Test func pathsAreFilesFoldersAndPatterns() throws {
        try withTemporaryFolder { folder in
            for number in 8...11 {
                _ = try folder.write(Data([1]), as: "train-" + String(format: "%03d", number) + ".tar")
            }
            _ = try folder.write(Data([1]), as: "notes.txt")
            let path = folder.path
            let all = try ShardPaths.of(path)
            #expect(all.count == 4 && all[0] == path + "/train-008.tar")
            #expect(try ShardPaths.of(path + "/train-{008..011}.tar") == all)
            #expect(
                try ShardPaths.of(path + "/train-0{08..09}.{tar}".replacing("{tar}", with: "tar")).count == 2)
            #expect(try ShardPaths.of(path + "/train-{0..0}{08..08}.tar") == [all[0]])
            for (text, words) in [
                ("/train-{008..012}.tar", "train-012.tar"), ("/train-{9..8}.tar", "holds no number"),
                ("/train-{a..b}.tar", "no range of numbers"), ("/{0..9999999}.tar", "more than"),
                ("/none.tar", "no such shard"), ("/{0..99999}{0..99999}.tar", "more than"),
            ] {
                #expect { try ShardPaths.of(path + text) } throws: { "\($0)".contains(words) }
            }
            try FileManager.default.createDirectory(
                at: folder.appending(path: "empty"), withIntermediateDirectories: true)
            #expect { try ShardPaths.of(path + "/empty") } throws: {
                "\($0)".contains(".tgz file in this folder")
            }
        }
    }
}

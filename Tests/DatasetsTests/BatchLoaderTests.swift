import Datasets
import Foundation
import Synchronization
import Tensors
import Testing

/// Preparing batches beside the work changes nothing of what comes out.
@Suite struct BatchLoaderTests {
    /// Pictures that hold their own number; one of them may be damaged.
    private final class Numbers: Dataset {
        let count = 10
        let exampleShape: Shape = [1, 1, 2]
        let classNames: [String]? = nil
        let damaged: Int?
        /// How many batches were made, and how many are being made now.
        let made = Mutex(0)
        let running = Mutex(0)
        /// How many were made at a time at the most.
        let most = Mutex(0)

        init(damaged: Int? = nil) { self.damaged = damaged }

        struct Damage: Error, Equatable { let picture: Int }

        func batch(at indices: [Int]) throws -> Batch {
            let now = running.withLock { count in
                count += 1
                return count
            }
            most.withLock { $0 = max($0, now) }
            defer { running.withLock { $0 -= 1 } }
            Thread.sleep(forTimeInterval: 0.002)
            made.withLock { $0 += 1 }
            if let damaged, indices.contains(damaged) { throw Damage(picture: damaged) }
            let values = indices.flatMap { [Float($0), Float($0) + 0.5] }
            return Batch(data: Tensor(values, shape: [indices.count, 1, 1, 2]), labels: nil)
        }
    }

    private let configuration = BatchOrder.Configuration(count: 10, batchSize: 4, seed: 8, mirrors: true)

    private func loader(_ dataset: Numbers, ahead: Int, workers: Int = 1) throws -> BatchLoader {
        try BatchLoader(dataset, configuration, ahead: ahead, workers: workers)
    }

    @Test(arguments: [(0, 1), (1, 1), (3, 1), (0, 3), (1, 2), (2, 5)])
    func batchesAndPositionsAreThoseOfTheOrder(ahead: Int, workers: Int) throws {
        let dataset = Numbers()
        var expected = try BatchOrder(configuration)
        let loader = try loader(dataset, ahead: ahead, workers: workers)
        #expect(dataset.made.withLock { $0 } == 0)
        for step in 0..<12 {
            let batch = try dataset.batch(for: expected.next())
            #expect(try loader.next().data.isIdentical(to: batch.data))
            #expect(loader.position == expected.position)
            // Given up in the middle, it goes on where it stood.
            if step == 5 { loader.stop() }
        }
    }

    @Test(arguments: [(0, 1), (1, 1), (3, 1), (2, 4)])
    func anErrorComesWithItsBatch(ahead: Int, workers: Int) throws {
        let dataset = Numbers(damaged: 7)
        var expected = try BatchOrder(configuration)
        let loader = try loader(dataset, ahead: ahead, workers: workers)
        for _ in 0..<9 {
            let isDamaged = expected.next().indices.contains(7)
            if isDamaged {
                #expect(throws: Numbers.Damage(picture: 7)) { try loader.next() }
            } else {
                _ = try loader.next()
            }
            #expect(loader.position == expected.position)
        }
    }

    @Test func nothingRunsAfterTheEnd() throws {
        let dataset = Numbers()
        do {
            let loader = try loader(dataset, ahead: 8)
            _ = try loader.next()
        }
        let made = dataset.made.withLock { $0 }
        #expect(dataset.running.withLock { $0 } == 0 && made < 9)
        Thread.sleep(forTimeInterval: 0.02)
        #expect(dataset.made.withLock { $0 } == made)
    }

    /// The next batch is made while the one before is in use.
    @Test func theNextBatchIsMadeBesideTheWork() throws {
        let dataset = Numbers()
        let loader = try loader(dataset, ahead: 2)
        _ = try loader.next()
        let deadline = Date(timeIntervalSinceNow: 10)
        while dataset.made.withLock({ $0 }) < 3 && Date() < deadline { Thread.sleep(forTimeInterval: 0.001) }
        #expect(dataset.made.withLock { $0 } == 3)
    }

    /// As many batches are made at a time as there are workers, and no more.
    @Test(arguments: [1, 3]) func workersWorkAtATime(workers: Int) throws {
        let dataset = Numbers()
        let loader = try loader(dataset, ahead: 6, workers: workers)
        for _ in 0..<20 { _ = try loader.next() }
        loader.stop()
        let most = dataset.most.withLock { $0 }
        #expect(workers == 1 ? most == 1 : (2...workers).contains(most), "\(most)")
    }

    /// What cannot be read any more is an error once and for all, and no wait without an end.
    @Test(arguments: [0, 2]) func aStreamThatBreaksEndsWithItsError(ahead: Int) throws {
        struct Break: Error, Equatable {}
        struct Broken: BatchStream {
            var position = BatchOrder.Position()
            mutating func next() throws -> @Sendable () throws -> Batch {
                guard position.index < 3 else { throw Break() }
                position.index += 1
                return { Batch(data: .zeros([1, 1]), labels: nil) }
            }
        }
        struct Shards: Dataset {
            let count = 5
            let exampleShape: Shape = [1]
            let classNames: [String]? = nil
            func batch(at indices: [Int]) throws -> Batch { throw Break() }
            func batches(
                _ order: BatchOrder.Configuration, at position: BatchOrder.Position
            ) -> any BatchStream { Broken(position: position) }
        }
        let loader = try BatchLoader(
            Shards(), .init(count: 5, batchSize: 1, seed: 0), ahead: ahead, workers: 2)
        for _ in 0..<3 { _ = try loader.next() }
        for _ in 0..<4 { #expect(throws: Break()) { try loader.next() } }
        #expect(loader.position.index == 3)
    }
}

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

        init(damaged: Int? = nil) { self.damaged = damaged }

        struct Damage: Error, Equatable { let picture: Int }

        func batch(at indices: [Int]) throws -> Batch {
            running.withLock { $0 += 1 }
            defer { running.withLock { $0 -= 1 } }
            Thread.sleep(forTimeInterval: 0.002)
            made.withLock { $0 += 1 }
            if let damaged, indices.contains(damaged) { throw Damage(picture: damaged) }
            let values = indices.flatMap { [Float($0), Float($0) + 0.5] }
            return Batch(data: Tensor(values, shape: [indices.count, 1, 1, 2]), labels: nil)
        }
    }

    private func order(_ dataset: Numbers) throws -> BatchOrder {
        try BatchOrder(.init(count: dataset.count, batchSize: 4, seed: 8, mirrors: true))
    }

    @Test(arguments: [0, 1, 3])
    func batchesAndPositionsAreThoseOfTheOrder(ahead: Int) throws {
        let dataset = Numbers()
        var expected = try order(dataset)
        let loader = BatchLoader(dataset, order: expected, ahead: ahead)
        #expect(dataset.made.withLock { $0 } == 0)
        for step in 0..<12 {
            let batch = try dataset.batch(for: expected.next())
            #expect(try loader.next().data.isIdentical(to: batch.data))
            #expect(loader.order.position == expected.position)
            // Given up in the middle, it goes on where it stood.
            if step == 5 { loader.stop() }
        }
    }

    @Test(arguments: [0, 1, 3])
    func anErrorComesWithItsBatch(ahead: Int) throws {
        let dataset = Numbers(damaged: 7)
        var expected = try order(dataset)
        let loader = BatchLoader(dataset, order: expected, ahead: ahead)
        for _ in 0..<9 {
            let isDamaged = expected.next().indices.contains(7)
            if isDamaged {
                #expect(throws: Numbers.Damage(picture: 7)) { try loader.next() }
            } else {
                _ = try loader.next()
            }
            #expect(loader.order.position == expected.position)
        }
    }

    @Test func nothingRunsAfterTheEnd() throws {
        let dataset = Numbers()
        do {
            let loader = BatchLoader(dataset, order: try order(dataset), ahead: 8)
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
        let loader = BatchLoader(dataset, order: try order(dataset), ahead: 2)
        _ = try loader.next()
        let deadline = Date(timeIntervalSinceNow: 10)
        while dataset.made.withLock({ $0 }) < 3 && Date() < deadline { Thread.sleep(forTimeInterval: 0.001) }
        #expect(dataset.made.withLock { $0 } == 3)
    }
}

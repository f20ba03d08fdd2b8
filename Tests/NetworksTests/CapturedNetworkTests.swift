import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// When a step is recorded, when replayed, and that nobody can tell by the values. The recorder stands in
/// for a CUDA graph: it knows only the tensors that it was recorded with.
@Suite struct CapturedNetworkTests {
    @Test func theSecondOfAKindIsRecordedAndAnswersStay() throws {
        let fake = Fake()
        try inference {
            let answers = (1...5).map { fake.answer(Double($0), batch: 2) }
            #expect(fake.recordings == 1 && fake.replays == 4)
            for (i, answer) in answers.enumerated() {
                try fake.expect(answer, Double(i + 1), batch: 2)
            }
        }
    }

    @Test func everyInputIsReadAnew() throws {
        let fake = Fake()
        try inference {
            for time in [1.0, 2, 3] {
                let given = Conditions(labels: Tensor([Int64(time)]), pooledText: .full(time * 10, [1]))
                let answer = fake.network(.ones([1, 3, 4, 4]), time: .full(time, [1]), given, dropout: nil)
                expectClose(answer, .full(1 + time + time + time * 10, [1, 3, 4, 4]))
            }
            #expect(fake.recordings == 1)
        }
    }

    @Test func anotherShapeRunsPlainlyUntilItComesAgain() throws {
        let fake = Fake()
        try inference {
            for batch in [2, 2, 1, 2, 1, 2] { try fake.expect(fake.answer(3, batch: batch), 3, batch: batch) }
            #expect(fake.recordings == 1 && fake.replays == 3)
            for _ in 0..<3 { try fake.expect(fake.answer(4, batch: 1), 4, batch: 1) }
            #expect(fake.recordings == 2 && fake.replays == 5)
        }
    }

    @Test func shapesThatAlternateAreNeverRecorded() {
        let fake = Fake()
        inference { for i in 0..<6 { _ = fake.answer(1, batch: 1 + i % 2) } }
        #expect(fake.recordings == 0)
    }

    @Test func anotherElementTypeIsAnotherKind() {
        let fake = Fake()
        inference {
            for _ in 0..<3 { _ = fake.answer(1, batch: 1) }
            #expect(fake.answer(1, batch: 1, .bfloat16).elementType == .bfloat16)
        }
        #expect(fake.replays == 2)
    }

    @Test func gradientsDropoutAndWatchesRunPlainly() {
        let fake = Fake()
        for _ in 0..<3 { _ = fake.answer(1, batch: 1) }
        inference {
            for _ in 0..<3 { _ = fake.answer(1, batch: 1, dropout: RandomGenerator(seed: 0)) }
            _ = LayerWatch.firstNonFiniteLayer { for _ in 0..<3 { _ = fake.answer(1, batch: 1) } }
        }
        #expect(fake.recordings == 0 && fake.plainCalls == 9)
    }

    /// A recording knows nothing of what was kept from the call before.
    @Test func reusedDeepFeaturesRunPlainly() {
        let fake = Fake()
        var conditions = Conditions()
        conditions[.deepFeatures] = DeepFeatures(every: 2)
        inference {
            for _ in 0..<4 {
                _ = fake.network(.ones([1, 3, 4, 4]), time: .ones([1]), conditions, dropout: nil)
            }
        }
        #expect(fake.recordings == 0 && fake.plainCalls == 4)
    }

    @Test func aRecordingOutlivesTheScopeThatMadeIt() throws {
        let fake = Fake()
        inference { for _ in 0..<2 { _ = fake.answer(1, batch: 1) } }
        try withoutGradients { try fake.expect(fake.answer(5, batch: 1), 5, batch: 1) }
        #expect(fake.replays == 2)
    }

    @Test func whereNothingCanBeRecordedItIsSaidOnce() throws {
        let fake = Fake(canRecord: false)
        try inference {
            for i in 1...6 {
                try fake.expect(fake.answer(Double(i), batch: 1 + i / 4), Double(i), batch: 1 + i / 4)
            }
        }
        #expect(fake.notes.count == 1 && fake.plainCalls == 6)
    }

    @Test func aFailedInputFailsTheAnswerAndIsNotRecorded() {
        let fake = Fake()
        let failed = Tensor.ones([2]) + Tensor.ones([3])
        inference {
            for _ in 0..<3 {
                #expect(fake.network(failed, time: .ones([1]), Conditions(), dropout: nil).failure != nil)
            }
        }
        #expect(fake.recordings == 0 && fake.notes.isEmpty)
    }

    @Test func onlyCUDARecords() {
        #expect(Sum().replayed(on: .cpu) is Sum)
        #expect(Sum().replayed(on: .cuda) is CapturedNetwork)
    }

    @Test func aMachineWithoutCUDARecordsNothing() {
        guard (try? Device(available: "cuda")) == nil else { return }
        let error = #expect(throws: TensorError.self) { try RecordedWork(on: .cuda) {} }
        #expect(error?.kind == .unavailable)
    }
}

/// Adds all that it is told.
private struct Sum: NoiseNetwork {
    func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        var sum = x + time.reshaped([-1, 1, 1, 1]).to(x.elementType)
        if let labels = conditions[.labels] { sum = sum + labels.reshaped([-1, 1, 1, 1]).to(x.elementType) }
        if let pooled = conditions[.pooledText] {
            sum = sum + pooled.reshaped([-1, 1, 1, 1]).to(x.elementType)
        }
        return sum
    }
}

private final class Fake {
    private let canRecord: Bool
    private(set) var recordings = 0
    private(set) var replays = 0
    private(set) var plainCalls = 0
    private(set) var notes: [String] = []
    private var isInside = false

    init(canRecord: Bool = true) { self.canRecord = canRecord }

    private(set) lazy var network = CapturedNetwork(
        Counted { [unowned self] in if !isInside { plainCalls += 1 } },
        say: { [unowned self] in notes.append($0) },
        record: { [unowned self] body in
            struct Refusal: Error {}
            guard canRecord else { throw Refusal() }
            recordings += 1
            let result = inside(body).copied()
            return (
                result,
                { [unowned self] in
                    replays += 1
                    try inference { try result.assign(inside(body)) }
                }
            )
        })

    private func inside(_ body: () -> Tensor) -> Tensor {
        isInside = true
        defer { isInside = false }
        return body()
    }

    private func input(batch: Int) -> Tensor {
        Tensor.linear(from: 0, to: 1, count: batch * 12).reshaped([batch, 3, 2, 2])
    }

    func answer(
        _ time: Double, batch: Int, _ type: ElementType = .float32, dropout: RandomGenerator? = nil
    ) -> Tensor {
        network(input(batch: batch).to(type), time: .full(time, [1]), Conditions(), dropout: dropout)
    }

    func expect(_ answer: Tensor, _ time: Double, batch: Int) throws {
        try answer.rethrow()
        expectClose(answer, input(batch: batch) + time)
    }
}

// The tests call it from one thread.
private struct Counted: NoiseNetwork, @unchecked Sendable {
    let onCall: () -> Void

    func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        onCall()
        return Sum()(x, time: time, conditions, dropout: dropout)
    }
}

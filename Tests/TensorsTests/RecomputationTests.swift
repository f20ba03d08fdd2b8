import Tensors
import TestSupport
import Testing

/// What is computed again gives what was computed once.
@Suite struct RecomputationTests {
    private let weight = RandomGenerator(seed: 3).normal([6, 6])
    private let x = RandomGenerator(seed: 4).normal([5, 6])

    /// Two results of two inputs and a parameter, with dropout.
    private func body(_ given: [Tensor], _ weight: Tensor, _ draw: RandomGenerator) -> [Tensor] {
        let kept = draw.coin([5, 6], probability: 0.5).to(.float32)
        let hidden = (given[0].matmul(weight) * kept).silu()
        return [hidden.matmul(weight), hidden * given[1]]
    }

    /// Loss and gradients, and what the generator draws afterwards.
    private func results(recomputed isRecomputed: Bool, type: ElementType? = nil) throws -> [Tensor] {
        let leaves = [x.requiringGradient(), (x * 2).requiringGradient(), weight.requiringGradient()]
        let draw = RandomGenerator(seed: 5)
        func loss() -> Tensor {
            // The inputs are no leaves, and the parameter is read outside the body, too.
            let given = [leaves[0] * 3, leaves[1].exp()]
            let parts =
                isRecomputed
                ? recomputed(given, generator: draw) { self.body($0, leaves[2], draw) }
                : body(given, leaves[2], draw)
            return (parts[0] + parts[1]).matmul(leaves[2]).squared().mean()
        }
        let value = type.map { autocast(to: $0, loss) } ?? loss()
        let between = draw.normal([3])
        try value.backward()
        return try [value.detached(), between, draw.normal([3])] + leaves.map { try #require($0.gradient) }
    }

    @Test(arguments: [ElementType?.none, .bfloat16])
    func gradientsAreThoseOfTheBody(type: ElementType?) throws {
        let (kept, again) = (
            try results(recomputed: false, type: type), try results(recomputed: true, type: type)
        )
        // The loss and the draws are the same; gradients of what is read twice are summed in another order.
        for index in 0..<3 { #expect(try kept[index].isIdentical(to: again[index])) }
        let tolerance = type == nil ? 1e-6 : 2e-2
        for index in 3..<kept.count { expectClose(kept[index], again[index], ofLargest: tolerance) }
    }

    @Test func gradientsAddUpOverBackwardPasses() throws {
        let parameter = Tensor([2, 3] as [Double]).requiringGradient()
        for _ in 0..<2 {
            // No input has a gradient: the parameter alone does.
            let y = recomputed([Tensor([1, 10] as [Double])]) { [$0[0] * parameter * parameter] }[0]
            try y.sum().backward()
        }
        #expect(try parameter.gradient?.array(of: Double.self) == [8, 120])
    }

    @Test func withoutARecordTheBodyRunsOnce() throws {
        var runs = 0
        let y = withoutGradients {
            recomputed([x]) {
                runs += 1
                return [$0[0] * 2]
            }[0]
        }
        #expect(runs == 1 && !y.requiresGradient)
    }

    @Test func theSecondRunRecordsNothingForLater() throws {
        autocast(to: .bfloat16) {
            let weight = weight.requiringGradient()
            let first = recomputed([x]) { [$0[0].matmul(weight)] }[0]
            #expect(first.requiresGradient && first.elementType == .bfloat16)
            // A cast of the weight that was made without a record would have no gradient here.
            #expect(x.matmul(weight).requiresGradient)
        }
    }

    @Test func failuresComeOut() throws {
        let x = x.requiringGradient()
        let failed = recomputed([x]) { [$0[0].matmul($0[0])] }[0]
        #expect(throws: TensorError.self) { try failed.rethrow() }
        #expect(throws: TensorError.self) { try recomputed([failed]) { $0 }[0].rethrow() }
        var runs = 0
        let later = recomputed([x]) {
            runs += 1
            return [runs == 1 ? $0[0] * 2 : $0[0].matmul($0[0])]
        }[0]
        #expect(throws: TensorError.self) { try later.sum().backward() }
    }

    @Test func otherGradientsAreRefused() throws {
        let x = x.requiringGradient()
        let y = recomputed([x]) { [$0[0].exp()] }[0]
        #expect { try gradients(of: [y.sum()], withRespectTo: [x]) } throws: {
            "\($0)".contains("by backward() only")
        }
    }

    /// Memory that tells when the last tensor over it has gone.
    private final class Memory {
        let numbers = UnsafeMutableBufferPointer<Float>.allocate(capacity: 6)
        init() { numbers.initialize(repeating: 2) }
        deinit { numbers.deallocate() }
    }

    /// A factor that a product keeps for its gradient is kept by a plain body only.
    @Test(arguments: [false, true])
    func activationsAreLetGo(isRecomputed: Bool) throws {
        weak var memory: Memory?
        func body(_ given: [Tensor]) -> [Tensor] {
            let owner = Memory()
            memory = owner
            let factor = Tensor(
                sharing: owner.numbers.baseAddress!, shape: [6], elementType: .float32, owner: owner)
            return [given[0] * factor]
        }
        let x = x.requiringGradient()
        let y = isRecomputed ? recomputed([x], body)[0] : body([x])[0]
        #expect((memory == nil) == isRecomputed)
        try y.sum().backward()
        #expect(try x.gradient?.isIdentical(to: .full(2, [5, 6])) == true)
    }

    /// What the body holds is let go with its result.
    @Test func theBodyIsReleased() throws {
        final class Held {}
        weak var held: Held?
        do {
            let object = Held()
            held = object
            let y = recomputed([x.requiringGradient()]) { [object] given in
                withExtendedLifetime(object) { [given[0] * 2] }
            }[0]
            try y.sum().backward()
        }
        #expect(held == nil)
    }
}

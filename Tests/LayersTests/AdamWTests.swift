import Layers
import Tensors
import TestSupport
import Testing

/// Traces of torch.optim.AdamW.
@Suite struct AdamWTests {
    @Test(arguments: [ElementType.float32, .float64])
    func tracesAgree(type: ElementType) throws {
        for fixture in try Fixture.all(in: "optimizer") {
            let initial = ["p0", "p1", "p2"].map { ($0, "initial.\($0)") }
            let tensors = try Dictionary(
                uniqueKeysWithValues: initial.map { ($0.0, try fixture.tensor($0.1)) })
            let store = ParameterStore(
                .loaded(TensorDictionary(tensors)), purpose: .training, elementType: type)
            let parameters = try store.build { weights in
                initial.map { weights.parameter($0.0, tensors[$0.0]!.shape, .zeros) }
            }
            let betas: [Double] = try fixture.case.required("betas")
            let optimizer = AdamW(
                store,
                .init(
                    beta1: betas[0], beta2: betas[1], epsilon: try fixture.case.required("epsilon"),
                    weightDecay: try fixture.case.required("weight_decay")))
            let rates = try fixture.tensor("\(type.name).rate").array(of: Double.self)
            let norms = try fixture.tensor("\(type.name).norm").array(of: Double.self)
            let limit: Double = try fixture.case.required("clip_norm")
            let tolerance = type == .float32 ? 2e-6 : 1e-12
            for step in rates.indices {
                // The loss Σ g·p has the gradient g.
                let terms = try zip(initial, parameters).map { name, parameter in
                    try (fixture.tensor("gradient.\(name.0)")[step].to(type) * parameter).sum()
                }
                try terms.dropFirst().reduce(terms[0], +).backward()
                let norm = try optimizer.gradientNorm().item(Double.self)
                #expect(abs(norm - norms[step]) <= 1e-5 * norms[step])
                if norm > limit { try optimizer.scaleGradients(by: limit / (norm + 1e-6)) }
                try optimizer.step(learningRate: rates[step])
                try optimizer.clearGradients()
                for (name, parameter) in zip(initial, parameters) {
                    expectClose(
                        parameter.detached(), try fixture.tensor("\(type.name).parameter.\(name.0)")[step],
                        absolute: tolerance, "\(fixture.name) \(name.0) step \(step)")
                }
            }
        }
    }

    @Test func aSavedStateGoesOnBitForBit() throws {
        func optimizer(_ values: [Float]) throws -> (AdamW, Tensor) {
            let source = TensorDictionary(["p": Tensor(values)])
            let store = ParameterStore(.loaded(source), purpose: .training)
            let parameter = try store.build { $0.parameter("p", [values.count], .zeros) }
            return (AdamW(store), parameter)
        }
        func advance(_ pair: (AdamW, Tensor), _ count: Int) throws {
            for _ in 0..<count {
                try (pair.1 * pair.1).sum().backward()
                try pair.0.step(learningRate: 0.1)
                try pair.0.clearGradients()
            }
        }
        let whole = try optimizer([1, -2, 3])
        try advance(whole, 7)
        let first = try optimizer([1, -2, 3])
        try advance(first, 3)
        let second = try optimizer(first.1.array(of: Float.self))
        let state = first.0.state.mapValues { $0.copied() }
        try second.0.restore(TensorDictionary(state))
        try advance(second, 4)
        #expect(try second.1.detached().isIdentical(to: whole.1.detached()))
        #expect(throws: LoadError.self) {
            try optimizer([1, 2]).0.restore(TensorDictionary(state))
        }
    }

    private func optimizer(of values: [Float]) throws -> (AdamW, Tensor) {
        let source = TensorDictionary(["p": Tensor(values)])
        let store = ParameterStore(.loaded(source), purpose: .training)
        let parameter = try store.build { $0.parameter("p", [values.count], .zeros) }
        return (AdamW(store, .init(weightDecay: 0.1)), parameter)
    }

    /// T4: a step without a finite gradient moves nothing and does not count, whoever decides it.
    @Test(arguments: [false, true])
    func aStepWithoutAFiniteGradientIsPassedOver(waits: Bool) throws {
        let (optimizer, parameter) = try optimizer(of: [1, -2])
        optimizer.waitsForGradient = waits
        for (factor, count) in [(1.0, 1), (.infinity, 1), (.nan, 1), (2.0, 2)] {
            let before = (parameter.detached().copied(), optimizer.state.mapValues { $0.copied() })
            try (parameter * factor).sum().backward()
            let norm = try optimizer.step(learningRate: 0.1, clippingTo: 1).item(Double.self)
            try optimizer.clearGradients()
            #expect(try optimizer.stepCount == count)
            #expect(norm.isFinite == factor.isFinite)
            #expect(try parameter.detached().isIdentical(to: before.0) == !factor.isFinite)
            for (name, tensor) in optimizer.state {
                #expect(try tensor.isIdentical(to: #require(before.1[name])) == !factor.isFinite, "\(name)")
            }
        }
    }

    @Test(arguments: [0, 0.5, 1e6], [false, true])
    func aLimitScalesLongerGradientsOnly(limit: Double, waits: Bool) throws {
        let (limited, one) = try optimizer(of: [1, -2])
        let (scaled, two) = try optimizer(of: [1, -2])
        limited.waitsForGradient = waits
        for _ in 0..<3 {
            for parameter in [one, two] { try (parameter * parameter).sum().backward() }
            let norm = try scaled.gradientNorm().item(Double.self)
            if limit > 0 && norm > limit { try scaled.scaleGradients(by: limit / (norm + 1e-6)) }
            try scaled.step(learningRate: 0.1)
            #expect(try limited.step(learningRate: 0.1, clippingTo: limit).item() == norm)
            for optimizer in [limited, scaled] { try optimizer.clearGradients() }
        }
        expectClose(one.detached(), two.detached(), absolute: 1e-6)
    }

    /// Moments lie in memory as their parameters do, or the fused kernel would mix them up.
    @Test func theOrderInMemoryChangesNothing() throws {
        let values = RandomGenerator(seed: 1).normal([3, 4, 2, 2])
        func trained(_ format: MemoryFormat) throws -> Tensor {
            let store = ParameterStore(
                .loaded(TensorDictionary(["p": values])), purpose: .training, memoryFormat: format)
            let parameter = try store.build { $0.parameter("p", values.shape, .zeros) }
            let optimizer = AdamW(store)
            for step in 1...3 {
                try (parameter * parameter * values * Double(step)).sum().backward()
                _ = try optimizer.step(learningRate: 0.1, clippingTo: 1)
                try optimizer.clearGradients()
                // Saved and restored it goes on.
                try optimizer.restore(
                    TensorDictionary(optimizer.state.mapValues { $0.copied().contiguous() }))
            }
            return parameter.detached()
        }
        let (plain, last) = (try trained(.contiguous), try trained(.channelsLast))
        #expect(plain.isContiguous && !last.isContiguous)
        expectClose(plain, last, absolute: 1e-6)
    }
}

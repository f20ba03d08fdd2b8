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
}

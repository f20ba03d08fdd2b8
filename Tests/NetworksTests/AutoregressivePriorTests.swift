import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// unCLIP's autoregressive prior against an implementation of its own in PyTorch, and its quantizer in closed form.
@Suite struct AutoregressivePriorTests {
    private func network(
        _ fixture: Fixture, _ purpose: ParameterStore.Purpose = .training, as type: ElementType = .float32
    ) throws -> (AutoregressivePrior, ParameterStore) {
        let configuration = try configuration(of: fixture, as: AutoregressivePriorConfiguration.self)
        // The constants of the quantizer are parameters to a store.
        let tensors = try fixture.tensors("weight.").merging(
            fixture.tensors("quantizer.").reduce(into: [:]) { $0["quantizer." + $1.key] = $1.value }
        ) { $1 }
        let store = ParameterStore(
            .loaded(TensorDictionary(tensors)), purpose: purpose, elementType: type)
        return (try store.build { try AutoregressivePrior(configuration, $0) }, store)
    }

    private func logits(_ network: AutoregressivePrior, _ fixture: Fixture, as type: ElementType = .float32)
        throws -> Tensor
    {
        let inputs = try fixture.tensors("input.")
        var conditions = try Conditions(
            context: #require(inputs["states"]).to(type), pooledText: #require(inputs["text"]).to(type))
        conditions[.contextMask] = inputs["mask"]
        let codes = try #require(inputs["codes"])
        return try network(
            codes: codes.slice(0..<codes.shape[1] - 1, of: 1), cosine: #require(inputs["cosine"]), conditions)
    }

    @Test(arguments: try Fixture.all(in: "autoregressive"))
    func `logits, losses and gradients are those of the reference`(_ fixture: Fixture) throws {
        let (network, store) = try network(fixture)
        let quantizer = try fixture.tensors("quantizer.").values.reduce(0) { $0 + $1.shape.elementCount }
        #expect(store.parameterCount - quantizer == (try fixture.case.required("parameters")))
        let found = try logits(network, fixture)
        expectClose(found, try fixture.tensor("output.logits"), relative: 1e-5, absolute: 1e-5)
        let codes = try fixture.tensor("input.codes")
        let losses = -found.logSoftmax().taken(codes.unsqueezed(2), along: 2).squeezed(2).mean([1])
        expectClose(losses, try fixture.tensor("output.losses"), relative: 1e-5)
        try losses.mean().backward()
        let gradients = try fixture.tensors("gradient.")
        let largest = try gradients.values.map { try $0.magnitude().max().item(Double.self) }.max() ?? 0
        for (name, expected) in gradients {
            expectClose(
                store[name]?.gradient ?? .zeros(expected.shape), expected, absolute: 1e-5 * largest, name)
        }
        for name in ["mean", "components", "least", "width", "cosines"] {
            #expect(store["quantizer.\(name)"]?.gradient == nil, "nothing is learnt of \(name)")
        }
        let (wide, _) = try self.network(fixture, .inference, as: .float64)
        expectClose(
            try logits(wide, fixture, as: .float64), try fixture.tensor("output64.logits"), absolute: 1e-10)
    }

    /// Principal components, buckets and cosines of the data are those of an SVD and of quantiles in PyTorch.
    @Test(arguments: try Fixture.all(in: "autoregressive"))
    func `the quantizer is that of the data`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: AutoregressivePriorConfiguration.self)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 0)), elementType: .float64)
        let network = try store.build { try AutoregressivePrior(configuration, $0) }
        let (data, cosines) = try (fixture.tensor("data").to(.float64), fixture.tensor("cosines"))
        let share = try network.quantizer.fit(data, cosines: cosines)
        #expect(share > 0.2 && share <= 1 + 1e-12)
        for (name, expected) in try fixture.tensors("quantizer.") {
            expectClose(store["quantizer.\(name)"]!, expected, absolute: 1e-9, name)
        }
        let codes = network.quantizer.codes(of: data)
        #expect(try codes.isIdentical(to: fixture.tensor("codes")))
        expectClose(network.quantizer.embeddings(of: codes), try fixture.tensor("decoded"), absolute: 1e-9)
        #expect(
            try network.quantizer.codes(ofCosines: cosines.to(.float64).slice(0..<2, of: 0))
                .isIdentical(to: fixture.tensor("input.cosine").slice(0..<2, of: 0)))
    }

    /// With all components and many buckets, what comes back is what went in, to half a bucket; codes come back exactly.
    @Test func `buckets are half a bucket away at the most`() throws {
        var configuration = AutoregressivePriorConfiguration()
        (configuration.embeddingDim, configuration.components, configuration.buckets) = (5, 5, 512)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 0)), elementType: .float64)
        let quantizer = try store.build { try AutoregressivePrior(configuration, $0) }.quantizer
        let data = RandomGenerator(seed: 7).normal([60, 5], .float64)
        let share = try quantizer.fit(data, cosines: data.select(0, of: 1).tanh())
        #expect(abs(share - 1) < 1e-12)
        let codes = quantizer.codes(of: data)
        let back = quantizer.embeddings(of: codes)
        let largest = try store["quantizer.width"]!.norm().item(Double.self) / 2
        #expect(try (back - data).norm([1]).max().item(Double.self) <= largest * (1 + 1e-9))
        #expect(try quantizer.codes(of: back).isIdentical(to: codes))
        // The values of an eigenvector's component fall off in their order.
        let spread = (data - data.mean([0])).matmul(store["quantizer.components"]!.transposed())
            .variance([0])
        let values = try spread.array(of: Double.self)
        #expect(zip(values, values.dropFirst()).allSatisfy { $0 >= $1 })
    }

    /// A component sees those before it, the text and the cosine; never itself, what follows, or padding.
    @Test func `components are predicted from those before them`() throws {
        let fixture = try #require(Fixture.all(in: "autoregressive").first)
        let (network, _) = try network(fixture, .inference)
        let inputs = try fixture.tensors("input.")
        let count = network.configuration.components
        var conditions = try Conditions(
            context: #require(inputs["states"]), pooledText: #require(inputs["text"]))
        conditions[.contextMask] = inputs["mask"]
        let (codes, cosine) = try (
            #require(inputs["codes"]).slice(0..<count - 1, of: 1), #require(inputs["cosine"])
        )
        let all = network(codes: codes, cosine: cosine, conditions)
        for known in 0..<count - 1 {
            let part = network(codes: codes.slice(0..<known, of: 1), cosine: cosine, conditions)
            expectClose(part, all.slice(0..<known + 1, of: 1), absolute: 1e-6)
        }
        let other = network(
            codes: codes, cosine: (cosine + 1).remainder(dividingBy: 3).to(.int64), conditions)
        #expect(try distance(other, all) > 1e-4)
        var padded = conditions
        let mask = try #require(inputs["mask"])
        padded[.context] = conditions[.context]! + (1 - mask).to(.float32).unsqueezed(2) * 5
        expectClose(network(codes: codes, cosine: cosine, padded), all, absolute: 1e-6)
    }

    @Test func `wrong values are refused by their keys`() throws {
        for change: (inout AutoregressivePriorConfiguration) -> Void in [
            { $0.components = 97 }, { $0.components = 0 }, { $0.buckets = 1 }, { $0.numLayers = 0 },
        ] {
            var configuration = AutoregressivePriorConfiguration()
            change(&configuration)
            #expect(throws: NetworkError.self) { try configuration.validate() }
        }
    }
}

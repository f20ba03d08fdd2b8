import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// What becomes of a codebook in training beside gradients: averages, and vectors that nobody uses.
@Suite struct CodebookTests {
    private struct Codebook {
        let quantizer: VectorQuantizer
        let average: CodebookAverage
        let dead: DeadCodes
        let store: ParameterStore

        init(
            _ vectors: Tensor, decay: Double, epsilon: Double = 1e-5, threshold: Double = 0,
            _ type: ElementType = .float32
        ) throws {
            var source = TensorDictionary(["embedding.weight": vectors])
            let count = vectors.shape[0]
            source.tensors["average.counts"] = .ones([count])
            source.tensors["average.sums"] = vectors
            source.tensors["dead.uses"] = .ones([count])
            store = ParameterStore(.loaded(source), purpose: .training, elementType: type)
            (quantizer, average, dead) = try store.build { weights in
                let quantizer = VectorQuantizer(count: count, width: vectors.shape[1], weights)
                return (
                    quantizer,
                    CodebookAverage(quantizer, decay: decay, epsilon: epsilon, weights["average"]),
                    DeadCodes(quantizer, threshold: threshold, decay: decay, weights["dead"])
                )
            }
        }

        func latents(_ latents: Tensor) -> QuantizedLatents {
            QuantizedLatents(quantizer(latents), vectors: quantizer.codebook.shape[0])
        }
    }

    @Test(arguments: try Fixture.all(in: "autoencoder_losses", prefix: "codebook-"))
    func `averages are those of an independent implementation, step by step`(_ fixture: Fixture) throws {
        let count: Int = try fixture.case.required("count")
        let codebook = try Codebook(
            fixture.tensor("codebook"), decay: fixture.case.required("decay"), .float64)
        for step in 0..<3 {
            let latents = try fixture.tensor("latents.\(step)")
            let use = CodebookUse(of: codebook.quantizer.indices(of: latents), among: count)
            expectClose(
                stacked([use.perplexity, use.usedShare]), try fixture.tensor("use.\(step)"), absolute: 1e-12)
            try codebook.average.update(codebook.latents(latents))
            for (name, found) in [
                ("codebook", codebook.quantizer.codebook), ("counts", codebook.store["average.counts"]),
                ("sums", codebook.store["average.sums"]),
            ] {
                expectClose(try #require(found), try fixture.tensor("\(name).\(step)"), absolute: 1e-12)
            }
        }
    }

    @Test func `batches of a step add up`() throws {
        let vectors = RandomGenerator(seed: 1).normal([5, 3])
        let latents = RandomGenerator(seed: 2).normal([4, 3, 2, 2])
        let (whole, parts) = try (Codebook(vectors, decay: 0.9), Codebook(vectors, decay: 0.9))
        try whole.average.update(whole.latents(latents))
        try parts.average.update(
            parts.latents(latents.slice(0..<1, of: 0)) + parts.latents(latents.slice(1..<4, of: 0)))
        expectClose(parts.quantizer.codebook, whole.quantizer.codebook, absolute: 1e-6)
    }

    @Test func `averages converge to the means of clusters`() throws {
        let noise = RandomGenerator(seed: 3).normal([4, 2, 5, 2])
        let centres = Tensor([5, -5] as [Double]).to(.float32)
        let latents = noise + centres.reshaped([1, 1, 1, 2])  // two clusters, one in each column
        let codebook = try Codebook(Tensor([1, 1, -1, -1] as [Double]).reshaped([2, 2]), decay: 0.8)
        for _ in 0..<60 { try codebook.average.update(codebook.latents(latents)) }
        let means = latents.permuted(3, 0, 2, 1).reshaped([2, -1, 2]).mean([1])
        expectClose(codebook.quantizer.codebook, means, absolute: 1e-4)
    }

    @Test func `vectors that nobody uses become latents, and the others stay`() throws {
        // Two of four vectors are near the latents, and are used alike.
        let vectors = Tensor([0, 0, 1, 1, 50, 50, -50, 50] as [Float], shape: [4, 2])
        let latents = Tensor((0..<16).map { Float($0 % 2) + Float($0 % 7) / 100 }, shape: [1, 2, 2, 4])
        let codebook = try Codebook(vectors, decay: 0.5, threshold: 0.3)
        let generator = RandomGenerator(seed: 5)
        // The use of a vector that stands for nothing: ½, then ¼, which is below.
        try codebook.dead.revive(from: codebook.latents(latents), codebook.average, generator)
        #expect(try codebook.quantizer.codebook.isIdentical(to: vectors))
        expectClose(
            try #require(codebook.store["dead.uses"]), Tensor([1.5, 1.5, 0.5, 0.5] as [Float]), absolute: 1e-6
        )
        let before = generator.state
        try codebook.dead.revive(from: codebook.latents(latents), codebook.average, generator)
        #expect(try !generator.state.isIdentical(to: before))
        let now = codebook.quantizer.codebook
        #expect(try now.slice(0..<2, of: 0).isIdentical(to: vectors.slice(0..<2, of: 0)))
        let rows = latents.permuted(0, 2, 3, 1).reshaped([-1, 2])
        for index in [2, 3] {
            let nearest: Float = try now[index].unsqueezed(0).distances(to: rows).min().item(Float.self)
            #expect(nearest == 0, "vector \(index) is a latent")
        }
        // Its averages begin anew with it: counts are their mean, sums that many of it.
        let (counts, sums) = (
            try #require(codebook.store["average.counts"]), try #require(codebook.store["average.sums"])
        )
        expectClose(counts, .ones([4]), absolute: 1e-6)
        expectClose(sums, now, absolute: 1e-6)
        #expect(try codebook.store["dead.uses"]?.array(of: Float.self).suffix(2) == [1, 1])
    }

    @Test func `latents that are not finite move nothing`() throws {
        let vectors = RandomGenerator(seed: 6).normal([3, 2])
        let codebook = try Codebook(vectors, decay: 0.9, epsilon: 0, threshold: 0.9)
        let broken = Tensor([0, .nan, 1, 2] as [Float], shape: [1, 2, 1, 2])
        let state = codebook.store.named.map { ($0, $1.detached().copied()) }
        try codebook.average.update(codebook.latents(broken))
        try codebook.dead.revive(from: codebook.latents(broken), codebook.average, RandomGenerator(seed: 7))
        for (name, before) in state {
            expectClose(try #require(codebook.store[name]).detached(), before, absolute: 1e-6, name)
        }
    }

    @Test func `perplexity is the number of vectors that are used alike`() throws {
        let use = CodebookUse(of: Tensor([0, 1, 2, 3, 0, 1, 2, 3] as [Int]), among: 16)
        expectClose(use.perplexity, Tensor(4.0), absolute: 1e-12)
        #expect(try use.usedShare.item() == 0.25)
        let more = use + CodebookUse(of: .zeros([2, 4], .int64), among: 16)
        #expect(try more.counts.array(of: Double.self).prefix(4) == [10, 2, 2, 2])
    }
}

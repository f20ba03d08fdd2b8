import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// Every text encoder, and CLIP's encoder of pictures, against transformers and diffusers.
@Suite struct TextEncoderTests {
    private func numbered(_ name: String, _ tensors: [Tensor]) -> [String: Tensor] {
        Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ("\(name)\($0)", $1) })
    }

    @Test(
        arguments: try Fixture.all(in: "text", prefix: "clip-text-").filter {
            !$0.name.contains("projection")
        })
    func `texts by CLIP are those of transformers`(_ fixture: Fixture) throws {
        try compare(fixture, CLIPText.self) { network, inputs in
            let output = network(try #require(inputs["ids"]), mask: inputs["mask"])
            let skipped = output.states.indices.map { output.states(skipping: $0) }
            let last = output.states[output.states.count - 1]
            #expect(try distance(output.states(skipping: 0, normed: false), last) == 0)
            return numbered("state.", output.states).merging(numbered("skip", skipped)) { $1 }
                .merging(["last": output.states(), "pooled": output.pooled]) { $1 }
        }
    }

    @Test(arguments: try Fixture.all(in: "text", prefix: "clip-text-projection-"))
    func `projected texts are those of transformers`(_ fixture: Fixture) throws {
        try compare(fixture, CLIPTextWithProjection.self) { network, inputs in
            let (output, embedding) = network(try #require(inputs["ids"]), mask: inputs["mask"])
            return numbered("state.", output.states)
                .merging(["last": output.states(), "embedding": embedding]) { $1 }
        }
    }

    @Test(
        arguments: try Fixture.all(in: "text", prefix: "clip-vision-").filter {
            !$0.name.contains("projection")
        })
    func `pictures by CLIP are those of transformers`(_ fixture: Fixture) throws {
        try compare(fixture, CLIPVision.self) { network, inputs in
            let output = network(try #require(inputs["pictures"]))
            return numbered("state.", output.states).merging(["pooled": output.pooled]) { $1 }
        }
    }

    @Test(arguments: try Fixture.all(in: "text", prefix: "clip-vision-projection-"))
    func `projected pictures are those of transformers`(_ fixture: Fixture) throws {
        try compare(fixture, CLIPVisionWithProjection.self) { network, inputs in
            let (output, embedding) = network(try #require(inputs["pictures"]))
            return numbered("state.", output.states).merging(["embedding": embedding]) { $1 }
        }
    }

    @Test(
        arguments: try Fixture.all(in: "text", prefix: "clip-").filter {
            !$0.name.contains("-text") && !$0.name.contains("-vision")
        })
    func `CLIP's logits and loss are those of transformers`(_ fixture: Fixture) throws {
        try compare(fixture, CLIP.self) { network, inputs in
            let texts = network.textEmbeddings(try #require(inputs["ids"]), mask: inputs["mask"])
            let pictures = network.pictureEmbeddings(try #require(inputs["pictures"]))
            let logits = network.logits(texts: texts, pictures: pictures)
            return ["texts": texts, "pictures": pictures, "logits": logits, "loss": CLIP.loss(logits)]
        }
    }

    @Test func `the gradients of CLIP's loss are those of transformers`() throws {
        let fixture = try Fixture("text/clip-0-0")
        let store = ParameterStore(.loaded(try fixture.source("weight.")), purpose: .training)
        let configuration = try configuration(of: fixture, as: CLIPConfiguration.self)
        let network = try store.build { try CLIP(configuration, $0) }
        let texts = network.textEmbeddings(try fixture.tensor("input.ids"))
        let pictures = network.pictureEmbeddings(try fixture.tensor("input.pictures"))
        try CLIP.loss(network.logits(texts: texts, pictures: pictures)).backward()
        let gradients = try fixture.tensors("gradient.")
        #expect(Set(gradients.keys) == Set(store.names))
        let largest = try gradients.values.map { try $0.magnitude().max().item() }.max() ?? 0
        for (name, expected) in gradients {
            let found = try #require(store[name]?.gradient, "\(name) has no gradient")
            expectClose(found, expected, absolute: 1e-6 * largest, ofLargest: 1e-4, name)
        }
    }

    /// Six pictures of noise and six texts of one word learn to know each other.
    @Test func `training on pairs tells them apart`() throws {
        var configuration = CLIPConfiguration()
        (configuration.textConfig.vocabSize, configuration.textConfig.eosTokenId) = (8, 7)
        (configuration.textConfig.hiddenSize, configuration.textConfig.intermediateSize) = (16, 16)
        (configuration.textConfig.numHiddenLayers, configuration.textConfig.numAttentionHeads) = (1, 2)
        (configuration.visionConfig.imageSize, configuration.visionConfig.patchSize) = (8, 4)
        (configuration.visionConfig.hiddenSize, configuration.visionConfig.intermediateSize) = (16, 16)
        (configuration.visionConfig.numHiddenLayers, configuration.visionConfig.numAttentionHeads) = (1, 2)
        configuration.projectionDim = 8
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let network = try store.build { try CLIP(configuration, $0) }
        let optimizer = AdamW(store)
        let pictures = RandomGenerator(seed: 2).normal([6, 3, 8, 8])
        let ids = Tensor((0..<6).flatMap { [$0, 7] }, shape: [6, 2])
        var losses: [Double] = []
        for _ in 0..<60 {
            let (texts, seen) = (network.textEmbeddings(ids), network.pictureEmbeddings(pictures))
            let loss = CLIP.loss(network.logits(texts: texts, pictures: seen))
            losses.append(try loss.item())
            try loss.backward()
            try optimizer.step(learningRate: 0.01)
            try optimizer.clearGradients()
        }
        // It begins near ln 6, the loss of a guess.
        #expect(losses[0] > 1.2)
        #expect(losses[59] < 0.1)
    }

    @Test(
        arguments: try Fixture.all(in: "text", prefix: "t5-").filter {
            $0.file.names.contains("output.state.0")
        })
    func `texts by T5 are those of transformers`(_ fixture: Fixture) throws {
        try compare(fixture, T5Encoder.self) { network, inputs in
            let output = network(try #require(inputs["ids"]), mask: inputs["mask"])
            return numbered("state.", output.states.dropLast()).merging(["last": output.last]) { $1 }
        }
    }

    /// Sums in float16 depend on their order, which kernels choose; without the bounds the second is NaN.
    @Test(arguments: ["text/t5-half-0", "text/t5-overflow-0"])
    func `T5 in float16 keeps what would not fit`(_ name: String) throws {
        let fixture = try Fixture(name)
        let store = ParameterStore(.loaded(try fixture.source("weight.")), elementType: .float16)
        let configuration = try configuration(of: fixture, as: T5Configuration.self)
        let network = try store.build { try T5Encoder(configuration, $0) }
        let wide = store.named.filter { $0.1.elementType == .float32 }.map(\.0)
        #expect(Set(wide) == Set(try fixture.case.required("float32", as: [String].self)))
        let last = network(try fixture.tensor("input.ids")).last
        #expect(last.elementType == .float16)
        expectClose(last.to(.float32), try fixture.tensor("output.last"), ofLargest: 4e-3)
    }

    @Test(arguments: try Fixture.all(in: "text", prefix: "ldmbert-"))
    func `texts by LDMBert are those of diffusers`(_ fixture: Fixture) throws {
        try compare(fixture, LDMBert.self) { network, inputs in
            let last = network(try #require(inputs["ids"]), mask: inputs["mask"])
            return ["last": last, "logits": network.tokenLogits(last)]
        }
    }
}

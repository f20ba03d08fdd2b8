import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// What CLIP is trained on, and the sizes that a recipe gives it.
@Suite struct CLIPTrainingTests {
    /// Cosines c off the diagonal and 1 on it, of n pairs: −ln(eˢ / (eˢ + (n − 1)·eᶜˢ)), in both directions.
    @Test(arguments: [(2, 0.0, 1.0), (5, 0.3, 10.0), (8, -0.2, 100.0)])
    func lossesOfEvenCosinesAreKnown(count: Int, cosine: Double, scale: Double) throws {
        let same = Tensor.identity(count, .float64)
        let losses = CLIP.losses((same * (1 - cosine) + cosine) * scale)
        let expected = Foundation.log(1 + Double(count - 1) * exp((cosine - 1) * scale))
        for found in [losses.ofTexts, losses.ofPictures, losses.total] {
            expectClose(found, Tensor([Double](repeating: expected, count: count)), relative: 1e-12)
        }
        let mean: Double = try CLIP.loss((same * (1 - cosine) + cosine) * scale).item()
        #expect(abs(mean - expected) <= 1e-12 * max(expected, 1))
    }

    /// Rows are texts: one that tells all pictures apart, one that none.
    @Test func rowsAreTextsAndColumnsPictures() throws {
        let logits = Tensor([50.0, 0, 0, 0], shape: [2, 2])
        let losses = CLIP.losses(logits)
        #expect(try losses.ofTexts.array(of: Double.self)[0] < 1e-20)
        #expect(try abs(losses.ofTexts.array(of: Double.self)[1] - Foundation.log(2)) < 1e-12)
        let turned = CLIP.losses(Tensor([50.0, 20, 0, 0], shape: [2, 2]))
        #expect(try turned.ofPictures.array(of: Double.self)[1] > 19)
        #expect(try turned.ofTexts.array(of: Double.self)[0] < 1e-12)
    }

    /// Texts that are alike cannot be told apart: what is left is the logarithm of their number.
    @Test func equalTextsLeaveTheLogarithmOfTheirNumber() throws {
        let classes = Tensor([0, 0, 0, 1, 1, 1] as [Int]).oneHot(2).to(.float64)
        let logits = classes.matmul(classes.transposed()) * 80
        let found = try CLIP.loss(logits).item(Double.self)
        #expect(abs(found - Foundation.log(3)) < 1e-12)
        // No better logits exist for such pairs: the gradient is nothing.
        let free = logits.requiringGradient()
        let slope = try #require(gradients(of: [CLIP.loss(free)], withRespectTo: [free])[0])
        let blocks = classes.transposed().matmul(slope).matmul(classes)
        #expect(try blocks.magnitude().max().item(Double.self) < 1e-12)
    }

    @Test func theScaleIsHeldBelowItsBound() throws {
        var settings = CLIPSettings()
        (settings.logitScaleInitValue, settings.visionHiddenSize, settings.textHiddenSize) = (6, 8, 8)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let network = try store.build {
            try CLIP(settings.configuration(vocabularySize: 20, length: 5), $0)
        }
        #expect(try network.scale.item(Double.self) > 400)
        try network.clampScale()
        #expect(try abs(network.scale.item(Double.self) - 100) < 1e-3)
        try network.clampScale(to: 7)
        #expect(try abs(network.scale.item(Double.self) - 7) < 1e-4)
        try network.clampScale(to: 50)
        #expect(try abs(network.scale.item(Double.self) - 7) < 1e-4)
    }

    @Test func settingsMakeBothEncoders() throws {
        var settings = CLIPSettings()
        (settings.visionHiddenSize, settings.textHiddenSize, settings.textIntermediateSize) = (24, 16, 20)
        settings.projectionDim = 12
        let whole = settings.configuration(vocabularySize: 600, length: 9)
        #expect(whole.visionConfig.intermediateSize == 96 && whole.textConfig.intermediateSize == 20)
        #expect(whole.textConfig.eosTokenId == 599 && whole.textConfig.maxPositionEmbeddings == 9)
        #expect(whole.projectionDim == 12 && whole.visionConfig.projectionDim == 12)
        try whole.validate()
    }

    /// Patches divide the picture, into 7×7 at least where it has as many pixels.
    @Test(arguments: [(28, 4), (32, 4), (64, 8), (8, 1), (30, 3), (224, 32), (7, 1), (5, 1)])
    func dataDecideTheSizesThatAreLeftOpen(size: Int, patch: Int) {
        let fitted = CLIPSettings().fitted(to: NetworkDemands(sample: [1, size, size]))
        #expect(fitted.imageSize == size && fitted.numChannels == 1 && fitted.patchSize == patch)
        let given = CLIPSettings().fitted(
            to: NetworkDemands(sample: [1, size, size], given: ["patch_size", "num_channels"]))
        #expect(given.patchSize == 4 && given.numChannels == 3)
    }

    @Test(arguments: [
        (#"{"vision_hidden_size": 0}"#, "vision_hidden_size"),
        (#"{"vision_num_attention_heads": 3}"#, "vision_num_attention_heads"),
        (#"{"text_num_attention_heads": 3}"#, "text_num_attention_heads"),
        (#"{"text_num_hidden_layers": 0}"#, "text_num_hidden_layers"),
        (#"{"projection_dim": 0}"#, "projection_dim"), (#"{"patch_size": 33}"#, "patch_size"),
        (#"{"vocab_merges": -1}"#, "vocab_merges"), (#"{"hidden_act": "x"}"#, "hidden_act"),
        (#"{"logit_scale_init_value": "x"}"#, "logit_scale_init_value"),
    ])
    func aWrongValueIsNamedByItsKey(_ text: String, _ key: String) {
        #expect { try JSONDecoder().decode(CLIPSettings.self, from: Data(text.utf8)) } throws: {
            ($0 as? NetworkError)?.key == key
        }
    }

    /// Pictures in −1 … 1 pass as they are where they were centred, and as in 0 … 1 by other statistics.
    @Test func signedPicturesAreNormalized() throws {
        let pictures = RandomGenerator(seed: 1).normal([2, 3, 4, 4]).clamped(to: -1...1)
        #expect(
            try ChannelStatistics.centred(channels: 3).normalized(signed: pictures).isIdentical(to: pictures))
        expectClose(
            ChannelStatistics.centred(channels: 3).normalized((pictures + 1) / 2), pictures, absolute: 1e-6)
        expectClose(
            ChannelStatistics.clip.normalized(signed: pictures),
            ChannelStatistics.clip.normalized(pictures * 0.5 + 0.5), absolute: 1e-5)
    }
}

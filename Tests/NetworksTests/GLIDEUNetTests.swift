import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// GLIDE's network: what it makes of its conditions. Counts of published ones are with the families, values beside the original
/// code in `GLIDESampleTests`.
@Suite struct GLIDEUNetTests {
    private static func network(_ change: (inout GLIDEUNetConfiguration) -> Void = { _ in }) throws
        -> GLIDEUNet
    {
        var configuration = GLIDEUNetConfiguration()
        (configuration.vocabularySize, configuration.textLength) = (20, 6)
        change(&configuration)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 5)))
        return try store.build { try GLIDEUNet(configuration, $0) }
    }

    private static func tokens(_ ids: [Int64]...) -> Tensor {
        Tensor(ids.flatMap { $0 }, shape: [ids.count, 6])
    }

    private let x = RandomGenerator(seed: 6).normal([2, 3, 8, 8])
    private let time = Tensor([3, 700] as [Float])
    private let texts = tokens([1, 2, 3, 19, 19, 19], [19, 19, 19, 19, 19, 19])

    @Test func whatIsPreparedOnceGivesTheSame() throws {
        let network = try Self.network()
        var conditions = Conditions()
        conditions[.tokens] = texts
        let plain = network(x, time: time, conditions, dropout: nil)
        let prepared = network.preparing(conditions)
        #expect(prepared[.tokens] == nil)
        expectClose(network(x, time: time, prepared, dropout: nil), plain, absolute: 1e-6)
    }

    /// The token that fills a text up has an embedding of its own at each place, whatever the table of tokens says.
    @Test func paddingIsNoToken() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 5)))
        var configuration = GLIDEUNetConfiguration()
        (configuration.vocabularySize, configuration.textLength) = (20, 6)
        let network = try store.build { try GLIDEUNet(configuration, $0) }
        var changed = store.source.tensors
        let table = try #require(changed["token_embedding.weight"])
        let last = Tensor((0..<20).map { Float($0 == 19 ? 1 : 0) }, shape: [20, 1])
        changed["token_embedding.weight"] = table + last
        let other = try ParameterStore(.loaded(TensorDictionary(changed))).build {
            try GLIDEUNet(configuration, $0)
        }
        var conditions = Conditions()
        conditions[.tokens] = texts
        let outputs = [network, other].map { $0(x, time: time, conditions, dropout: nil) }
        #expect(try outputs[0].isIdentical(to: outputs[1]))
    }

    /// Without a picture all of it is hidden; a mask of ones hides all of one that is given.
    @Test func ofAHiddenPictureNothingIsSeen() throws {
        let network = try Self.network { ($0.inpaints, $0.lowResolutionFactor) = (true, 2) }
        var conditions = Conditions()
        (conditions[.tokens], conditions[.lowResolution]) = (
            texts, RandomGenerator(seed: 8).normal([2, 3, 4, 4])
        )
        let plain = network(x, time: time, conditions, dropout: nil)
        conditions[.knownPicture] = RandomGenerator(seed: 9).normal([1, 3, 8, 8])
        conditions[.mask] = Tensor.full(1, [1, 1, 8, 8])
        #expect(try network(x, time: time, conditions, dropout: nil).isIdentical(to: plain))
        conditions[.mask] = Tensor.zeros([1, 1, 8, 8])
        #expect(try !network(x, time: time, conditions, dropout: nil).isIdentical(to: plain))
    }

    @Test func configurationsThatDescribeNoNetworkAreRefused() {
        func problem(_ change: (inout GLIDEUNetConfiguration) -> Void) -> String {
            var configuration = GLIDEUNetConfiguration()
            change(&configuration)
            do { try configuration.validate() } catch { return "\(error)" }
            return ""
        }
        #expect(problem { $0.textHeads = 3 }.contains("xf_heads"))
        #expect(problem { $0.textLength = 0 }.contains("text_ctx"))
        #expect(problem { $0.vocabularySize = 1 }.contains("vocab_size"))
        #expect(problem { $0.lowResolutionFactor = 0 }.contains("low_resolution_factor"))
        #expect(problem { _ in } == "")
    }
}

import Diffusers
import Diffusion
import Layers
import Networks
import Pipelines
import Tensors
import TestSupport
import Testing

/// A cascade: models that enlarge the pictures of the one before.
@Suite struct CascadeTests {
    private static func process(_ word: String = "betas", _ prediction: String = "v") throws
        -> Diffusion.Process
    {
        try ProcessDescription(word).predicting(prediction).trained(sampledBy: nil)
    }

    /// A model of a few thousand parameters that makes pictures of a size, of half their size where it enlarges.
    private static func model(
        _ name: String, size: Int, enlarges: Bool = true, hasNoise: Bool = false, classes: Int? = nil,
        seed: UInt64 = 3,
        process: Diffusion.Process? = nil
    ) throws -> Model {
        var configuration = ADMUNetConfiguration()
        configuration.unet.blockOutChannels = [8, 16]
        (configuration.unet.normNumGroups, configuration.unet.attentionHeadDim) = (4, 8)
        (configuration.unet.inChannels, configuration.unet.outChannels) = (1, 1)
        configuration.unet.sampleSize = .square(size)
        configuration.unet.numClassEmbeds = classes
        (configuration.lowResolutionFactor, configuration.hasNoiseLevel) = (enlarges ? 2 : nil, hasNoise)
        let network = NetworkConfiguration(configuration)
        let store = ParameterStore(.initialized(RandomGenerator(seed: seed)), elementType: .float64)
        return try Model(
            PixelAssembly(
                name: name, configuration: network, process: process ?? Self.process(), card: ModelCard(),
                network: store.build(network.network), elementType: .float64))
    }

    private static func request(_ stages: [Request.FollowingStage] = []) -> Request {
        var request = Request()
        (request.count, request.seed, request.steps, request.solver) = (3, 5, 4, Method(rawValue: "ddim")!)
        request.following = stages
        return request
    }

    private static func following(
        _ model: Model, steps: Int = 3, noiseLevel: Int? = nil, truncates: Bool = false
    )
        -> Request.FollowingStage
    {
        var stage = Request.FollowingStage(model)
        (stage.steps, stage.noiseLevel, stage.truncates) = (steps, noiseLevel, truncates)
        return stage
    }

    /// Each stage is given the samples of the one before, and draws on from the streams of its pictures.
    @Test func threeStagesDoubleThePictureTwice() throws {
        let base = try Self.model("base", size: 4, enlarges: false)
        let (second, third) = (
            try Self.model("second", size: 8, seed: 4),
            try Self.model("third", size: 16, hasNoise: true, seed: 6)
        )
        let run = try base.run(
            Self.request([Self.following(second), Self.following(third, noiseLevel: 300)]))
        let found = try run.samples()
        #expect(found.shape == [3, 1, 16, 16])
        #expect(run.settings.map(\.steps) == [4, 3, 3])
        let receipt = try run.receipt()
        #expect(
            receipt.then?.map(\.model) == ["second", "third"]
                && receipt.then?.map(\.noiseLevel) == [nil, 300])
        #expect((receipt.width, receipt.height) == (16, 16) && receipt.model == "base")

        // By hand: picture 1 alone, its one stream through all stages.
        let noise = NoiseSource(seed: 6, count: 1, elementType: .float64)
        let first = try Self.sampled(base, steps: 4, [1, 4, 4], noise, low: nil)
        let next = try Self.sampled(second, steps: 3, [1, 8, 8], noise, low: first)
        let start = noise.draw([1, 16, 16])
        let level = try Self.process().schedule.level(at: 300)
        let low = next * level.alpha + noise.draw([1, 8, 8]) * level.sigma
        let last = try Self.sampled(third, steps: 3, [1, 16, 16], noise, start: start, low: low, level: 300)
        expectClose(found.slice(1..<2, of: 0), last, absolute: 1e-8)
    }

    /// A run of DDIM by the parts of the library, without stages.
    private static func sampled(
        _ model: Model, steps: Int, _ shape: Shape, _ noise: NoiseSource, start: Tensor? = nil, low: Tensor?,
        level: Double? = nil
    ) throws -> Tensor {
        let assembly = try #require(model.assembly as? PixelAssembly)
        let process = assembly.process.computed(in: .float64)
        let sampler = try process.sampling.sampler(
            Method(rawValue: "ddim")!, steps: steps, grid: nil, options: SamplerOptions())
        var conditions = Conditions()
        (conditions[.lowResolution], conditions[.noiseLevel]) = (low, level.map { Tensor([$0]) })
        let denoiser = Denoiser(process.parameterization) { [conditions] x, time in
            assembly.network(x, time: time, conditions, dropout: nil)
        }
        var sample = start ?? noise.draw(shape)
        for step in sampler.sampling(sample, denoiser: denoiser, source: noise) { sample = step.sample }
        return sample
    }

    /// What is drawn before is the same as a picture that is given.
    @Test func aGivenPictureIsEnlargedLikeADrawnOne() throws {
        let second = try Self.model("second", size: 8)
        var request = Self.request()
        let low = RandomGenerator(seed: 2).normal([3, 1, 4, 4], .float64)
        request.reference = .latents(low)
        let found = try second.run(request).samples()
        let noise = NoiseSource(seed: 7, count: 1, elementType: .float64)
        let alone = try Self.sampled(second, steps: 4, [1, 8, 8], noise, low: low.slice(2..<3, of: 0))
        expectClose(found.slice(2..<3, of: 0), alone, absolute: 1e-8)
    }

    /// A stage that stops early leaves the noise that the next one expects: no noise is added to it.
    @Test func truncationStopsTheStageBefore() throws {
        let base = try Self.model("base", size: 4, enlarges: false)
        let second = try Self.model("second", size: 8, hasNoise: true)
        let run = try base.run(
            Self.request([Self.following(second, noiseLevel: 300, truncates: true)]))
        let last = try #require(run.settings[0].sampler.grid.steps.last)
        let level = try Self.process().schedule.level(at: 300)
        #expect(last.to.alpha == level.alpha && last.to.sigma == level.sigma)
        #expect(last.from.noiseRatio > level.noiseRatio)
        #expect(try run.samples().shape == [3, 1, 8, 8])
        #expect(try run.receipt().then?.first?.truncated == true)
    }

    @Test func whatDoesNotFitIsASentence() throws {
        let base = try Self.model("base", size: 4, enlarges: false)
        let plain = try Self.model("second", size: 8)
        let noisy = try Self.model("noisy", size: 8, hasNoise: true)
        let large = try Self.model("large", size: 32)
        let flow = try Self.model(
            "flow", size: 8, hasNoise: true,
            process: Self.process("flow", "flow"))
        func problem(_ model: Model, _ stage: Request.FollowingStage) -> String {
            do {
                _ = try model.run(Self.request([stage]))
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem(base, Self.following(base)).contains("base enlarges no pictures, it draws its own"))
        #expect(problem(base, Self.following(large)).contains("out of 16×16, and the stage before makes 4×4"))
        #expect(problem(base, Self.following(plain, noiseLevel: 5)).contains("reads no noise level"))
        #expect(problem(base, Self.following(noisy, noiseLevel: 1000)).contains("has noise levels 0 to 999"))
        #expect(
            problem(base, Self.following(plain, truncates: true)).contains("reads no noise level"))
        #expect(
            problem(base, Self.following(flow, noiseLevel: 300, truncates: true)).contains(
                "different processes"))
        #expect(throws: PipelineError.self) { try plain.run(Self.request()) }
        #expect { try plain.assembly.bare() } throws: { "\($0)".contains("enlarges pictures") }
        #expect(problem(base, Self.following(plain)) == "")
    }
}

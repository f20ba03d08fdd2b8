import Checkpoints
import Pipelines
import TestSupport
import Testing

/// What diffusers' pipelines of latent consistency models do otherwise than those of Stable Diffusion.
@Suite struct LatentConsistencyTests {
    private func run(_ pipeline: String) throws -> Run {
        let tiny = try TinyStableDiffusion()
        var index = try ModelFolder(tiny.path).configuration("model_index.json")
        index["_class_name"] = .string(pipeline)
        try ModelFolder(tiny.path).write(index, to: "model_index.json")
        return try tiny.model().run(TinyStableDiffusion.request { ($0.steps, $0.guidance) = (nil, nil) })
    }

    @Test(arguments: ["LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline"])
    func defaultsAreItsOwn(pipeline: String) throws {
        let settings = try run(pipeline).settings[0]
        #expect(settings.steps == 4 && settings.guidance.scale == 8.5)
        // The scheduler stays as the folder has it; Stable Diffusion's pipelines set an offset of 1.
        #expect(settings.sampler.grid.steps.map(\.from.time) == [750, 500, 250, 0])
        let plain = try run("StableDiffusionPipeline").settings[0]
        #expect(plain.steps == 50 && plain.guidance.scale == 7.5)
        #expect(plain.sampler.grid.steps.last?.from.time == 1)
    }
}

import Checkpoints
import Diffusers
import Diffusion
import Layers
import Testing

/// The schedules and indices that stand in for those a single file does not have.
@Suite struct PublishedScheduleTests {
    private struct Facts {
        var kind = SchedulerClass.ddim
        var betas = (0.00085, 0.012)
        var prediction = Prediction.noise
        var clips = false
        var offset = 1
        var endsAtData = false
        var table = BetaSchedule.scaledLinear
    }

    private static let facts: [CheckpointFamily: Facts] = [
        .stableDiffusion1: Facts(kind: .pndm), .stableDiffusion1Inpainting: Facts(),
        .stableDiffusion2: Facts(prediction: .velocity), .stableDiffusion2Inpainting: Facts(kind: .pndm),
        .stableDiffusionXL: Facts(kind: .euler), .stableDiffusionXLRefiner: Facts(kind: .euler),
        .stableDiffusion3Medium: Facts(kind: .flowEuler), .stableDiffusion35Medium: Facts(kind: .flowEuler),
        .stableDiffusion35Large: Facts(kind: .flowEuler),
        .latentDiffusionVQ4: Facts(betas: (0.0015, 0.0195)),
        .latentDiffusionVQ8: Facts(betas: (0.0015, 0.0195)),
        .upscaler4: Facts(betas: (0.0001, 0.02), prediction: .velocity),
        .diffusionTransformer: Facts(betas: (0.0001, 0.02), offset: 0, endsAtData: true, table: .linear),
        .guidedDiffusion: Facts(
            kind: .ddpm, betas: (0.0001, 0.02), clips: true, offset: 0, endsAtData: true, table: .linear),
        .guidedDiffusionUpsampler: Facts(
            kind: .ddpm, betas: (0.0001, 0.02), clips: true, offset: 0, endsAtData: true, table: .linear),
        .guidedDiffusionClassifier: Facts(
            kind: .ddpm, betas: (0.0001, 0.02), clips: true, offset: 0, endsAtData: true, table: .linear),
        .glide: Facts(
            kind: .ddpm, betas: (0.0001, 0.02), clips: true, offset: 0, endsAtData: true, table: .cosine),
        .glideInpainting: Facts(
            kind: .ddpm, betas: (0.0001, 0.02), clips: true, offset: 0, endsAtData: true, table: .cosine),
        .glideUpsampler: Facts(
            kind: .ddim, betas: (0.0001, 0.02), clips: true, offset: 0, endsAtData: true, table: .linear),
        .glideInpaintingUpsampler: Facts(
            kind: .ddpm, betas: (0.0001, 0.02), clips: true, offset: 0, endsAtData: true, table: .linear),
    ]

    /// Those that diffuse.
    private static let scheduled = CheckpointFamily.allCases.filter {
        $0.configurations(TensorDictionary([:]))[.scheduler] != nil
    }

    @Test(arguments: scheduled)
    func everySchedulesFlagsAreRead(_ family: CheckpointFamily) throws {
        let object = try #require(family.configurations(TensorDictionary([:]))[.scheduler])
        let schedule = try object.decoded(SchedulerConfiguration.self)
        let facts = try #require(Self.facts[family])
        #expect(schedule.kind == facts.kind && schedule.trainSteps == 1000)
        guard facts.kind != .flowEuler else {
            #expect(schedule.shift == 3)
            return
        }
        #expect((schedule.betaStart, schedule.betaEnd) == facts.betas)
        #expect(schedule.betaSchedule == facts.table)
        #expect(schedule.prediction == facts.prediction && schedule.clipsData == facts.clips)
        #expect(schedule.stepsOffset == facts.offset)
        if facts.kind != .euler { #expect(schedule.endsAtData == facts.endsAtData) }
        if facts.kind == .pndm { #expect(schedule.skipsRungeKutta) }
        if facts.kind == .euler { #expect(schedule.spacing == .leading) }
    }

    @Test func theUpscalerHasASecondSchedule() throws {
        let object = try #require(
            CheckpointFamily.upscaler4.configurations(TensorDictionary([:]))[.lowResolutionScheduler])
        let schedule = try object.decoded(SchedulerConfiguration.self)
        #expect(schedule.kind == .ddpm && schedule.clipsData && schedule.variance == .fixedSmall)
        #expect(schedule.prediction == .noise && schedule.betaEnd == 0.02)
    }

    // MARK: Indices

    @Test(arguments: CheckpointFamily.allCases)
    func everyComponentIsInTheIndex(_ family: CheckpointFamily) throws {
        let configurations = family.configurations(TensorDictionary([:]))
        let index = try family.index(configurations)
        #expect(index["_class_name"] == .string(family.pipeline))
        for component in configurations.keys {
            let pair = try index.required(component.rawValue, as: [String].self)
            #expect(pair.count == 2 && !pair[1].isEmpty, "\(component)")
            if let tokenizer = component.tokenizer {
                #expect(index[tokenizer] == ["transformers", "CLIPTokenizer"])
            }
        }
    }

    @Test func whatIsNotThereIsNull() throws {
        let all = CheckpointFamily.stableDiffusionXLRefiner.configurations(TensorDictionary([:]))
        let index = try CheckpointFamily.stableDiffusionXLRefiner.index(all)
        #expect(index["text_encoder"] == [.null, .null] && index["tokenizer"] == [.null, .null])
        #expect(index["text_encoder_2"] == ["transformers", "CLIPTextModelWithProjection"])
        #expect(index["requires_aesthetics_score"] == true)
        let alone = try CheckpointFamily.stableDiffusion1.index(all.filter { $0.key == .unet })
        #expect(alone["vae"] == [.null, .null] && alone["unet"] == ["diffusers", "UNet2DConditionModel"])
    }
}

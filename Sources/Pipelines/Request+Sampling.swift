import Diffusion
import Tensors

// What a request asks of solvers, guidance and noise.

extension Request {
    /// What is set of the solver beside its name.
    var samplerOptions: SamplerOptions {
        var options = SamplerOptions()
        options.eta = eta
        (options.churn, options.churnRange, options.churnNoise) = (churn, churnRange, churnNoise)
        (options.langevinSteps, options.signalToNoise) = (langevinSteps, signalToNoise)
        return options
    }

    /// The guidance of a run.
    /// - Parameters:
    ///   - usual: the scale of the model, where neither the request nor the method has one.
    ///   - schedule: how that scale grows over the steps, as the model says; where the request says nothing of guidance.
    func guidanceSettings(usual: Double, schedule: GuidanceSchedule? = nil) -> GuidanceSettings {
        var settings = GuidanceSettings(
            scale: guidance ?? guidanceMethod?.usualScale ?? usual, method: guidanceMethod)
        (settings.interval, settings.rescale) = (guidanceInterval, guidanceRescale)
        (settings.negativeWeight, settings.schedule) = (negativeWeight, guidanceSchedule)
        if guidance == nil, guidanceMethod == nil { settings.schedule = guidanceSchedule ?? schedule }
        return settings
    }

    /// The field by which a request asks for guidance.
    var guidanceField: RequestField {
        guidance == nil && guidanceSchedule != nil ? .guidanceSchedule : .guidance
    }

    /// What is given for guidance beside numbers.
    var guidanceParts: [(option: GuidanceOption, value: String)] {
        let parts: [(GuidanceOption, String?)] = [
            (.guide, guide?.name), (.classifier, classifier?.name), (.noisyCLIP, noisyCLIP?.name),
            (.negativePrompt, negativePrompt),
        ]
        return parts.compactMap { option, value in value.map { (option, "'\($0)'") } }
    }

    /// The streams of noise of some of the pictures.
    func noise(of pictures: Range<Int>, _ type: ElementType, on device: Device) -> NoiseSource {
        guard let interpolation else {
            return NoiseSource(
                seed: seed &+ UInt64(pictures.lowerBound), count: pictures.count, elementType: type,
                on: device, drawnBy: rng)
        }
        return NoiseSource(
            from: interpolation.first, to: interpolation.last, weights: pictures.map { weights[$0] },
            elementType: type, on: device, drawnBy: rng)
    }

    /// The place of each picture between the two seeds of an interpolation, from 0 to 1.
    var weights: [Double] { (0..<count).map { Double($0) / Double(max(1, count - 1)) } }

    /// Throws where an interpolation or an inversion does not go with the rest of the request.
    func checkNoise() throws {
        let seeds = interpolation.map { [$0.first, $0.last] } ?? [seed, seed &+ UInt64(count - 1)]
        if let seed = seeds.first(where: { $0 > rng.largestSeed }) {
            throw PipelineError(
                "\(.rng) \(rng.word) takes seeds of 0 to \(rng.largestSeed), and \(seed) is above: give a smaller \(.seed)"
            )
        }
        if interpolation != nil {
            guard count > 1 else {
                throw PipelineError("\(.interpolation) is a row of pictures: give \(.count) 2 or more")
            }
            let others: [(RequestField, Bool)] = [
                (.initial, initial != nil), (.reference, reference != nil), (.inverts, inverts),
            ]
            if let field = others.first(where: \.1)?.0 {
                throw PipelineError(
                    "\(field) and \(.interpolation) are two beginnings: leave out one of them")
            }
        }
        guard inverts else { return }
        guard reference != nil else {
            throw PipelineError("\(.inverts) finds the noise that leads to a picture: give \(.reference)")
        }
        let others: [(RequestField, Bool)] = [
            (.initial, initial != nil), (.mask, mask != nil), (.strength, strength != nil),
            (.denoisingStart, denoisingStart != nil), (.denoisingEnd, denoisingEnd != nil),
            (.refiner, refiner != nil),
        ]
        if let field = others.first(where: \.1)?.0 {
            throw PipelineError(
                "\(field) has no part in \(.inverts), which climbs from the data to noise: leave it out")
        }
        let rows: Int
        switch reference {
        case .latents(let samples): rows = samples.rank > 0 ? samples.shape[0] : 0
        default: rows = 1
        }
        guard rows == count else {
            throw PipelineError(
                "\(.reference) holds \(rows) samples, and \(.count) is \(count): they must agree")
        }
    }

    /// The samples that a run begins with, and where they are from: noise, or data.
    var beginning: (samples: Tensor?, field: RequestField) {
        if case .latents(let samples)? = reference { return (samples, .reference) }
        return (initial, .initial)
    }

    /// Throws where an inversion of points is given a picture.
    func checkPoints(of model: String) throws {
        guard inverts, case .picture? = reference else { return }
        throw PipelineError(
            "\(model) makes points, not pictures: give \(.reference) a .safetensors file of samples")
    }

    /// The request of a guide: the same conditions, and nothing of how samples are drawn.
    /// - Parameters:
    ///   - shape: the shape of a picture; `nil` for points.
    ///   - steps: a number of steps that its process allows; it takes none of them.
    func ofGuide(pictures shape: Shape?, steps: Int) -> Request {
        var request = Request()
        request.steps = steps
        (request.prompts, request.classes) = (prompts, classes)
        (request.count, request.guidance) = (count, 1)
        (request.clipSkip, request.weighsWords) = (clipSkip, weighsWords)
        request.weightNormalization = weightNormalization
        (request.originalSize, request.targetSize, request.crop) = (originalSize, targetSize, crop)
        if let shape { (request.height, request.width) = (shape[1], shape[2]) }
        return request
    }
}

import Diffusion
import Networks
import Pictures
import Tensors

// Networks that enlarge a picture of lower resolution, which is given or drawn by the stage before.

extension PixelStage {
    /// What an enlarging network is given beside noisy pictures.
    struct Enlarging: Sendable {
        /// How many times larger a side becomes.
        let factor: Int
        /// The augmentation by which the network was trained, and the time of the noise; `nil` of one that reads no noise level.
        let augmentation: (noise: ConditioningAugmentation, time: Double)?
        /// Whether the stage before stopped where that noise is left, so that none is added.
        var isTruncated = false
        /// The pictures that the stage before drew, `[count, channels, height, width]`; `nil` until then, and where the
        /// request brings one.
        var drawn: Tensor?
    }

    /// How a model enlarges; `nil` where it does not.
    /// - Throws: `PipelineError` where a noise level is given that it does not take.
    static func enlarging(_ model: PixelAssembly, _ request: Request) throws -> Enlarging? {
        guard let traits = model.configuration.traits.enlargement else { return nil }
        guard traits.readsNoiseLevel else {
            guard request.noiseLevel == nil else {
                throw PipelineError(
                    "\(.noiseLevel): \(model.name) was trained on pictures without noise and reads no noise level: leave it out"
                )
            }
            return Enlarging(factor: traits.factor, augmentation: nil)
        }
        let augmentation = ConditioningAugmentation(model.process)
        let (level, largest) = (request.noiseLevel ?? 0, augmentation.largestLevel)
        guard (0...largest).contains(level) else {
            throw PipelineError("\(.noiseLevel) is \(level): \(model.name) has noise levels 0 to \(largest)")
        }
        return Enlarging(
            factor: traits.factor, augmentation: (augmentation, augmentation.time(ofLevel: level)))
    }

    /// The shape of what is made of a smaller picture.
    /// - Parameter earlier: the shape of the pictures of the stage before; `nil` where the request brings them.
    /// - Throws: `PipelineError` where they do not fit the network.
    static func enlargedShape(
        _ model: PixelAssembly, _ request: Request, by enlarging: Enlarging, from earlier: Shape?
    ) throws -> Shape {
        let (channels, factor) = (model.configuration.channels, enlarging.factor)
        let low = try earlier ?? givenShape(model, request)
        guard low.rank == 3, low[0] == channels else {
            throw PipelineError(
                "\(model.name) enlarges pictures of \(channels) channels, and the stage before makes \(low): give models that fit"
            )
        }
        let (height, width) = (low[1] * factor, low[2] * factor)
        guard request.height ?? height == height, request.width ?? width == width else {
            throw PipelineError(
                "\(model.name) enlarges \(low[2])×\(low[1]) pixels \(factor) times, to \(width)×\(height): leave out \(.width) and \(.height)"
            )
        }
        if earlier != nil, let own = model.configuration.pictureSize, own != (height, width) {
            throw PipelineError(
                "\(model.name) makes pictures of \(own.width)×\(own.height) out of \(own.width / factor)×\(own.height / factor), and the stage before makes \(low[2])×\(low[1]): give stages that fit"
            )
        }
        let multiple = model.configuration.sizeMultiple
        guard height % multiple == 0, width % multiple == 0 else {
            throw PipelineError(
                "\(.reference) is \(low[2])×\(low[1]), and \(model.name) makes pictures whose sides are multiples of \(multiple): give one whose sides times \(factor) are"
            )
        }
        return [channels, height, width]
    }

    /// The shape of the picture or samples that a request brings.
    private static func givenShape(_ model: PixelAssembly, _ request: Request) throws -> Shape {
        switch request.reference {
        case .picture(let picture): return [model.configuration.channels, picture.height, picture.width]
        case .latents(let samples):
            try Request.check(initial: samples, .reference)
            guard samples.rank == 4, [1, request.count].contains(samples.shape[0]) else {
                throw PipelineError(
                    "\(.reference) holds samples of \(samples.shape): [1 or \(request.count), \(model.configuration.channels), height, width] is needed"
                )
            }
            return Shape(Array(samples.shape.extents.dropFirst()))
        case nil:
            throw PipelineError(
                "\(model.name) enlarges pictures: give \(.reference), or put it behind a model that draws such (\(.following))"
            )
        }
    }

    /// The pictures that are enlarged, `[1 or count, channels, height, width]` in −1 … 1; `nil` where none are.
    func smallPictures(_ say: @escaping (Sentence) -> Void) -> Tensor? {
        guard let enlarging else { return nil }
        if let drawn = enlarging.drawn { return drawn }
        switch settings.request.reference {
        case .latents(let samples)?: return samples
        case .picture(let picture)?:
            return settings.request.opaque(picture, .reference, say)
                .converted(toChannels: settings.sampleShape[0]).tensor().unsqueezed(0)
        case nil: preconditionFailure("there is nothing to enlarge")
        }
    }

    /// What the network is given of the small pictures of a batch: with the noise of their level, which is drawn from their
    /// streams.
    func besides(_ small: Tensor, _ pictures: Range<Int>, _ noise: NoiseSource, _ own: (Tensor) -> Tensor)
        -> Tensor
    {
        let shape = small.shape
        let given = model.configuration.traits.enlargement?.isOfBytes == true ? small.roundedToBytes : small
        let batch = own(
            shape[0] == 1
                ? given.expanded(to: Shape([pictures.count] + shape.extents.dropFirst()))
                : given.slice(pictures, of: 0))
        guard let (augmentation, time) = enlarging?.augmentation else { return batch }
        guard enlarging?.isTruncated == false else { return augmentation.given(batch, at: time).0 }
        let drawn = noise.draw(Shape(Array(shape.extents.dropFirst())))
        return augmentation.noised(
            batch, at: Array(repeating: time, count: pictures.count), drawn
        ).0
    }

    /// The noise level for the network, `[1]`; `nil` where it reads none.
    var noiseLevelCondition: Tensor? {
        enlarging?.augmentation.map { augmentation, time in
            augmentation.noised(Tensor.zeros([1, 1]), at: [time], nil).times.to(model.device)
        }
    }
}

extension Tensor {
    /// Pictures in −1 … 1 with the 256 levels of a byte.
    fileprivate var roundedToBytes: Tensor { ((self + 1) * 127.5).rounded() / 127.5 - 1 }
}

extension PixelStage {
    package var takesPictures: Bool { enlarging != nil }

    /// The same stage with the pictures that the one before it drew.
    package func starting(from samples: Tensor) throws -> any Stage {
        var stage = self
        stage.enlarging?.drawn = samples
        return stage
    }

    /// Makes the stage before it stop at the noise that this network expects.
    /// - Throws: `PipelineError` where the two do not share that noise.
    package mutating func truncate(_ earlier: inout StageSettings) throws {
        guard let (augmentation, time) = enlarging?.augmentation else {
            throw PipelineError("\(.noiseLevel): \(model.name) reads no noise level: leave out \(.truncates)")
        }
        let level = augmentation.process.schedule.level(at: time)
        let other = earlier.process.schedule.level(at: time)
        // The same table in two precisions is one process.
        guard abs(level.alpha - other.alpha) < 1e-5, abs(level.sigma - other.sigma) < 1e-5 else {
            throw PipelineError(
                "\(.truncates): \(earlier.model) and \(model.name) are of different processes, so noise of the one is none of the other: leave it out"
            )
        }
        earlier.sampler = try earlier.sampler.stopping(at: other)
        enlarging?.isTruncated = true
    }
}

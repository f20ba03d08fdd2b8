import Networks
import Pictures
import Tensors

/// A family of models of latents that make a larger picture of a given one. The picture is laid beside latents of its own
/// height and width, so that the result is as many times larger as the autoencoder enlarges.
package protocol EnlargingAssembly: LatentAssembly {
    /// Height and width in which the network is given a picture.
    /// - Throws: `PipelineError` where it cannot be given the picture.
    func shownSize(of picture: Request.Size) throws -> Request.Size
    /// How a picture of another size is brought to it.
    var shownFilter: ResizeFilter { get }
}

extension EnlargingAssembly {
    package var enlarges: Bool { true }
    package static var channelsBeside: Int { 3 }

    /// A stage that goes on with the pictures of another model, which are not known yet.
    package func stage(after earlier: StageSettings, _ request: Request) throws -> any Stage {
        guard let shape = earlier.pictureShape, shape[0] == 3 else {
            throw PipelineError(
                "\(.following): \(name) enlarges pictures in colour, and \(earlier.model) makes none: leave it out"
            )
        }
        var request = request
        request.reference = .latents(.zeros(Shape([1] + shape.extents)))
        return try LatentStage(self, request)
    }

    /// The size of the pictures that are made.
    func enlargedSize(of request: Request) throws -> Request.Size {
        let shown: Request.Size
        switch request.reference {
        case .picture(let picture):
            shown = try shownSize(of: .init(height: picture.height, width: picture.width))
        case .latents(let pictures) where pictures.rank == 4:
            shown = try shownSize(of: .init(height: pictures.shape[2], width: pictures.shape[3]))
        case .latents, nil:
            throw PipelineError("\(.reference) must hold pictures, [count, 3, height, width]")
        }
        let factor = model.pixelsPerLatent
        let size = Request.Size(height: shown.height * factor, width: shown.width * factor)
        guard max(size.height, size.width) <= 16_384 else {
            throw PipelineError(
                "\(.reference) has \(shown.width)×\(shown.height) pixels, and \(name) makes pictures of at most 16384 a side: give one of at most \(16_384 / factor)"
            )
        }
        return size
    }

    /// The picture as the network is given it, before any noise, `[1 or count, 3, height, width]` in −1 … 1, beside the
    /// stage's samples.
    func shownPictures(_ stage: LatentStage, _ say: (Sentence) -> Void) throws -> Tensor {
        try pictures(stage, say).to(stage.settings.sampleType).to(model.device)
    }

    private func pictures(_ stage: LatentStage, _ say: (Sentence) -> Void) throws -> Tensor {
        switch stage.request.reference {
        case .picture(let picture):
            let size = try shownSize(of: .init(height: picture.height, width: picture.width))
            return stage.request.opaque(picture, .reference, say)
                .fitted(to: size, shownFilter, .reference, say)
                .converted(toChannels: 3).tensor().unsqueezed(0)
        case .latents(let pictures): return pictures
        case nil: preconditionFailure("an upscaler's stage has a picture")
        }
    }
}

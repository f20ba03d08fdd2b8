import Checkpoints
import Networks
import Storage
import Tensors

extension LatentStage {
    /// The prompts of pictures that change anything.
    private var usedImagePrompts: [Request.ImagePrompt] { request.imagePrompts.filter { $0.weight != 0 } }

    /// The parts of the model that prompts of pictures are made with.
    var imagePromptParts: [ModelComponent] { usedImagePrompts.isEmpty ? [] : [.imageEncoder] }

    /// Checks that adapters fit the model and its encoder of pictures. No weights are read.
    func checkImagePrompts() throws {
        guard !request.imagePrompts.isEmpty else { return }
        let source = model.source
        guard try source.has(.imageEncoder) else {
            throw PipelineError(
                "\(.imagePrompts): \(source.name) has no image_encoder: give the folder of the one that the adapter was made for by \(.imageEncoder)"
            )
        }
        let object = try source.configuration(of: .imageEncoder)
        let known = [CLIPVisionWithProjection.className, CLIPVision.className, CLIP.className]
        if let name = try? KnownNetworks.name(in: object), !known.contains(name) {
            throw PipelineError(
                "\(object.place): it is a \(printable(name)), and \(.imagePrompts) needs a \(known[0]): give its folder by \(.imageEncoder)"
            )
        }
        try source.check(CLIPVisionWithProjection.self, .imageEncoder)
        let encoder = try source.explaining(.imageEncoder) {
            try CLIPVision.configuration(object)
        }
        _ = try PicturePreprocessing(source, for: encoder)
        for prompt in request.imagePrompts { try prompt.adapter.check(for: model, encoder) }
    }

    /// What pictures say to each branch; `nil` where there are none.
    func imagePrompts(_ say: (Sentence) -> Void) throws -> BranchConditions? {
        let prompts = usedImagePrompts
        guard !prompts.isEmpty, let unet = model.network.settings as? UNet2DConditionConfiguration else {
            return nil
        }
        let names = try unet.textLayers().map(\.name)
        let encoder = try PictureEncoder(model.source, as: model.elementType, on: model.device)
        var (wanted, unwanted): ([ImagePrompts.Prompt], [ImagePrompts.Prompt]) = ([], [])
        for prompt in prompts {
            let adapter = try prompt.adapter.build(model.options)
            let pixels = concatenated(try prompt.pictures.map(encoder.pixels))
            func seen(_ isNone: Bool) throws -> ImagePrompts.Prompt {
                let image = encoder.features(prompt.adapter.features, of: pixels, isNone: isNone)
                let made = adapter.prompt(of: image, for: names, scale: prompt.weight)
                for tensor in made.tensors where try !tensor.isFinite().all().item(Bool.self) {
                    throw PipelineError(
                        "\(.imagePrompts): what \(prompt.adapter.name) makes of its pictures is not finite in \(model.elementType.name): look for damage with 'langevin inspect --check', or use another \(.elementType)"
                    )
                }
                return made
            }
            wanted.append(try seen(false))
            if settings.branches != [.conditional] { unwanted.append(try seen(true)) }
            if prompt.pictures.contains(where: \.isTransparent) {
                say(
                    "note: \(.imagePromptPicture) has transparent parts; the colours stored under them count")
            }
        }
        func conditions(_ prompts: [ImagePrompts.Prompt]) -> Conditions {
            var conditions = Conditions()
            conditions[.imagePrompts] = ImagePrompts(prompts)
            return conditions
        }
        return BranchConditions(
            wanted: conditions(wanted), unwanted: unwanted.isEmpty ? nil : conditions(unwanted))
    }
}

import Diffusion
import Networks
import Tensors

/// The networks that control a run, with the pictures that they have looked at.
struct LoadedControls {
    fileprivate struct Part {
        let picture: PictureControl
        let control: Request.Control
    }

    fileprivate let parts: [Part]
    /// Whether pictures alone say what is wanted: control networks act on the conditional branch, and the less the higher the
    /// resolution.
    fileprivate let guesses: Bool
    /// How many times the network is called for a batch.
    fileprivate let callCount: Int

    /// - Parameter say: gets what a person should know of the pictures.
    init?(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws {
        let request = stage.request
        guard !request.controls.isEmpty else { return nil }
        let model = stage.model
        // The autoencoder goes before the networks come.
        let pictures = try stage.controlPictures(say)
        parts = try zip(request.controls, pictures).map { control, picture in
            let picture = picture.to(model.elementType).to(model.device)
            return Part(
                picture: try control.network.build(for: model).control(by: picture, in: model),
                control: control)
        }
        // diffusers lets the first of several decide.
        let first = request.controls.first { !$0.network.isAdapter }
        guesses = request.guessMode || first?.network.alwaysGuesses == true
        callCount = stage.networkCallCount
    }
}

/// Networks that control in the calls of one batch, which are counted: each has its share of them.
final class ControlledCalls {
    private let controls: LoadedControls
    private var call = -1

    init(_ controls: LoadedControls) { self.controls = controls }

    /// A denoiser whose calls are counted.
    func counting(_ denoiser: Denoiser) -> Denoiser {
        Denoiser { x, level in
            self.call += 1
            return denoiser(x, level)
        }
    }

    /// What is added to a network that samples pass through under several branches.
    /// - Parameter rows: the conditions of each branch.
    /// - Returns: a function of the batch of all branches and its time; it gives `nil` where no network has a part in the call.
    func control(under rows: [Conditions], of branches: [GuidanceBranch]) -> (Tensor, Tensor) -> Conditions
        .Control?
    {
        let isAlone = controls.guesses && branches.count > 1
        let wanted = branches.firstIndex(of: .conditional) ?? 0
        // What the U-Net alone reads.
        let own: Set = [Conditions.Key.guidance.name, Conditions.Key.imagePrompts.name]
        let seen = (isAlone ? [rows[wanted]] : rows).map { $0.without(own) }
        let joined = seen.dropFirst().reduce(seen[0]) { $0.followed(by: $1) }
        let prepared = controls.parts.map { ($0.control, $0.picture(joined)) }
        return { [self] x, time in
            let size = x.shape[0] / branches.count
            func own(_ rows: Tensor) -> Tensor {
                isAlone && rows.shape[0] == x.shape[0]
                    ? rows.slice(wanted * size..<(wanted + 1) * size, of: 0) : rows
            }
            let added = prepared.filter { hasPart($0.0) }.map { control, picture in
                let network = control.network
                let grows = controls.guesses && !network.isAdapter && !network.alwaysGuesses
                let own = picture(own(x), own(time)).scaled(by: control.scale, grows: grows)
                return isAlone && !network.isAdapter ? own.alone(in: wanted, of: branches.count) : own
            }
            return added.first.map { added.dropFirst().reduce($0, +) }
        }
    }

    /// Whether a control acts in the current call.
    private func hasPart(_ control: Request.Control) -> Bool {
        let (call, count) = (Double(call), Double(controls.callCount))
        return (control.start == 0 || call / count >= control.start)
            && (control.end == 1 || (call + 1) / count <= control.end)
    }
}

extension LatentStage {
    /// How many times the network is called for a batch, as diffusers counts it where its scheduler takes the steps.
    var networkCallCount: Int {
        let sampler = settings.sampler
        let used = scheduler?.configured(for: request.solver, grid: nil)
        return used.map { sampler.callTimes($0).joined().count }
            ?? sampler.grid.steps.count * (sampler.hasTwoCalls ? 2 : 1)
    }

    /// Checks control networks: that they fit the model and their pictures the size. No weights are read.
    func checkControls() throws {
        for control in request.controls {
            try control.network.checkWeights(for: model)
            let multiple = control.network.sizeMultiple
            for (field, side) in [(RequestField.width, size.width), (.height, size.height)]
            where side % multiple != 0 {
                throw PipelineError(
                    "\(field) is \(side): \(control.network.name) needs a multiple of \(multiple), such as \(max(side / multiple, 1) * multiple)"
                )
            }
            if let largest = control.network.largestSide(in: model), max(size.width, size.height) > largest {
                throw PipelineError(
                    "\(size.width)×\(size.height) pixels are more than \(control.network.name) has places for: at most \(largest) a side"
                )
            }
            if case .picture = control.input, control.network.latents?.showsKnown == true {
                throw PipelineError(
                    "\(.control): \(control.network.name) is shown which part of a picture is made anew: give a .safetensors file with -1 there, as 'langevin control --kind inpaint' makes it"
                )
            }
            if case .numbers = control.input, control.size != size {
                throw PipelineError(
                    "\(.control) holds numbers for \(control.size.width)×\(control.size.height) pixels, and the pictures have \(size.width)×\(size.height): give a control of that size, or another \(.width) and \(.height)"
                )
            }
        }
    }

    /// What each control network reads, `[1, channels, height, width]`.
    fileprivate func controlPictures(_ say: @escaping (Sentence) -> Void) throws -> [Tensor] {
        var autoencoder: RecoveringAutoencoder?
        return try request.controls.map { control in
            let pixels = try picture(of: control, say)
            guard let form = control.network.latents else { return pixels }
            let opened = try autoencoder ?? RecoveringAutoencoder(model, say: say)
            autoencoder = opened
            return try latents(of: pixels, form, by: opened)
        }
    }

    /// The mean of what the autoencoder gives for a picture from 0 to 1, and beside it, where the network is shown that, 1 for
    /// what is known and 0 for what is below 0, which a mask has covered.
    private func latents(of pixels: Tensor, _ form: ControlLatents, by autoencoder: RecoveringAutoencoder)
        throws -> Tensor
    {
        let covered = pixels.min([1], keepingDimensions: true) .< 0
        let picture = form.showsKnown ? (pixels * 2 - 1).filled(with: -1, where: covered) : pixels * 2 - 1
        let latents = try autoencoder.finite("the latents of the control") { network, type in
            network.latents(of: picture.to(type).to(model.device)) { .zeros($0, type, on: model.device) }
        }
        var scaling = autoencoder.network.latentScaling
        if !form.isShifted, scaling.channels == nil { scaling = LatentScaling(factor: scaling.factor) }
        let scaled = scaling.scaled(latents)
        guard form.showsKnown else { return scaled }
        let known = (1 - covered.to(.float32)).resizedNearest(height: scaled.shape[2], width: scaled.shape[3])
        return concatenated([scaled, known.to(scaled.elementType).to(scaled.device)], along: 1)
    }

    /// The picture of a control, `[1, channels, height, width]` from 0 to 1.
    private func picture(of control: Request.Control, _ say: (Sentence) -> Void) throws -> Tensor {
        let channels = control.network.pictureChannels
        switch control.input {
        case .picture(let picture):
            let fitted = request.opaque(picture, .control, say).fitted(to: size, .lanczos, .control, say)
            return (fitted.converted(toChannels: channels).tensor().unsqueezed(0) + 1) * 0.5
        case .numbers(let tensor):
            let numbers = tensor.to(.float32).unsqueezed(0)
            if numbers.shape[1] == channels { return numbers }
            return channels == 1
                ? numbers.mean([1], keepingDimensions: true)
                : concatenated([numbers, numbers, numbers], along: 1)
        }
    }
}

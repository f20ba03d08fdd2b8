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
    init?(of stage: LatentStage, _ say: (Sentence) -> Void) throws {
        let request = stage.request
        guard !request.controls.isEmpty,
            let unet = stage.model.network.settings as? UNet2DConditionConfiguration
        else { return nil }
        parts = try request.controls.map { control in
            let picture = try stage.picture(of: control, say)
                .to(stage.model.elementType).to(stage.model.device)
            return Part(picture: try control.network.build().control(by: picture, of: unet), control: control)
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

    /// What is added to a U-Net that samples pass through under several branches.
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
            try control.network.checkWeights()
            let multiple = control.network.sizeMultiple
            for (field, side) in [(RequestField.width, size.width), (.height, size.height)]
            where side % multiple != 0 {
                throw PipelineError(
                    "\(field) is \(side): \(control.network.name) needs a multiple of \(multiple), such as \(max(side / multiple, 1) * multiple)"
                )
            }
            if case .numbers = control.input, control.size != size {
                throw PipelineError(
                    "\(.control) holds numbers for \(control.size.width)×\(control.size.height) pixels, and the pictures have \(size.width)×\(size.height): give a control of that size, or another \(.width) and \(.height)"
                )
            }
        }
    }

    /// What a control network reads, `[1, channels, height, width]`, a picture from 0 to 1.
    fileprivate func picture(of control: Request.Control, _ say: (Sentence) -> Void) throws -> Tensor {
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

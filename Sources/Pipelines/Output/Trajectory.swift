import Diffusion
import Pictures
import Tensors

/// The way of the first samples of a run from noise to data, as a picture: rows of pictures in a few moments, or lines of
/// points in the plane.
public struct Trajectory {
    private var frames: Frames?
    private var paths = PointPaths()
    private let title: String

    /// No step was taken yet.
    /// - Throws: `PipelineError` where samples are neither pictures nor points of a plane.
    public init(_ settings: StageSettings) throws {
        title = "\(settings.sampler.grid.steps.count) steps, \(settings.model)"
        guard settings.pictureShape == nil else {
            guard settings.pictureShape == settings.sampleShape else {
                throw PipelineError(
                    "a trajectory shows models on pixels and points, and \(settings.model) diffuses latents: leave it out"
                )
            }
            frames = Frames(steps: settings.sampler.grid.steps.count)
            return
        }
        guard settings.sampleShape[0] == 2 else {
            throw PipelineError(
                "a trajectory shows samples of 2 numbers, and these have \(settings.sampleShape[0]): leave it out"
            )
        }
    }

    /// Notes where the samples of a step are, if it is one of the first batch.
    public mutating func add(_ step: RunStep) throws {
        guard step.picturesDone == 0, step.stage == 0 else { return }
        if frames == nil { return try paths.add(step.progress) }
        try frames?.add(step.progress) { try step.work.pictures(of: $0) { _ in } }
    }

    /// The picture.
    public func picture() throws -> Picture { try frames?.picture() ?? paths.picture(title: title) }

    /// Pictures in ten moments, the last one included.
    private struct Frames {
        private let moments: Set<Int>
        private var states: [Tensor] = []

        init(steps: Int) {
            let count = min(10, steps)
            moments = Set((1...max(1, count)).map { $0 * steps / max(1, count) })
        }

        /// - Parameter shown: makes samples in −1 … 1 of those of the model.
        mutating func add(_ progress: SamplingProgress, shown: (Tensor) throws -> Tensor) throws {
            guard moments.contains(progress.stepsDone) else { return }
            states.append(try shown(progress.sample.slice(0..<min(10, progress.sample.shape[0]), of: 0)))
        }

        /// One row a picture, from noise on the left to the picture on the right.
        func picture() throws -> Picture {
            guard let first = states.first else {
                throw PipelineError("no step was taken: there is no trajectory to draw")
            }
            let rows = stacked(states, along: 1).flattened(from: 0, to: 1)
            return try Picture.sheet(of: rows, rows: first.shape[0])
        }
    }
}

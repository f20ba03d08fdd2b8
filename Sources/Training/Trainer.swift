import Datasets
import Diffusion
import Foundation
import Layers
import Networks
import Pictures
import Storage
import Tensors

/// A training run: parts, and the folder that keeps what comes of them.
///
/// Dataset → Batch → `TrainingTask` → backward → AdamW → MovingAverage → run folder, once a step.
public final class Trainer {
    /// Where a run is, after a step.
    public struct Progress: Sendable {
        /// The number of steps done.
        public let step: Int
        /// The number of steps in all.
        public let stepCount: Int
        /// The loss of this step on the processor; on a device that nobody waits for, that of the latest step
        /// whose loss is known.
        public let loss: Double
    }

    /// How a run ended.
    public enum Outcome: Sendable, Equatable {
        /// All steps are done.
        case complete
        /// It was interrupted, and can be resumed.
        case interrupted
    }

    /// What the run is made of.
    public let parts: TrainingParts
    let run: RunFolder
    let device: Device
    package let state: TrainingState
    let loader: BatchLoader
    let warn: (String) -> Void
    /// The held-out loss; `nil` where nothing is held back.
    let validation: Validation?
    /// Whether each step is looked at before the next one. On the processor nothing is waited for.
    package var readsEveryStep: Bool
    /// What the data have shown so far.
    var findings: FindingsReport
    /// Steps whose loss and gradient nobody has looked at yet.
    var unread = UnreadSteps()
    /// The latest step that was looked at.
    var latest: UnreadSteps.Step?
    /// How long the data were waited for.
    var dataWait = DataWait()
    /// What could not be written, on a full disk above all.
    var unwritten = UnwrittenFiles()

    /// A run that a recipe describes: it starts, or goes on where its newest whole checkpoint stands.
    ///
    /// - Parameters:
    ///   - folder: the run folder.
    ///   - resume: go on with the run that is there; where there is none, start one.
    ///   - warn: gets a sentence about whatever is passed over (damaged checkpoints, pictures).
    /// - Throws: `RecipeError`, `RunError`, `DatasetError`, `PipelineError`, `TensorError`, each a sentence.
    public convenience init(
        recipe: Recipe, folder: String, resume: Bool, warn: @escaping (String) -> Void = { _ in }
    ) throws {
        // A damaged run is found before a network is built; what is passed over is said once nothing is refused.
        var passedOver: [String] = []
        let earlier = try RunFolder.checked(folder, resume: resume) ? RunFolder(folder, resume: true) : nil
        let keep = recipe.training.keepCheckpoints
        let checkpoint = try earlier?.newestCheckpoint(keep: keep) { passedOver.append($0) }
        if let earlier { try recipe.filled.checkResumable(from: earlier.recipe(), dataAreOpen: false) }
        try recipe.useThreads(warn: warn)
        let parts = try recipe.parts(warn: warn)
        // Everything that can be wrong with the recipe has been checked: now the folder may be made.
        let run = try earlier ?? RunFolder(folder, resume: resume)
        if run.isContinued {
            try parts.recipe.checkResumable(from: run.recipe().resolved(for: parts.data))
        }
        passedOver.forEach(warn)
        let start = earlier == nil ? try run.newestCheckpoint(keep: keep, warn: warn) : checkpoint
        try self.init(parts, into: run, from: start, warn: warn)
    }

    /// A run of given parts: it starts, or goes on where the folder's newest whole checkpoint stands.
    ///
    /// - Parameters:
    ///   - parts: what the run is made of.
    ///   - run: the folder.
    ///   - warn: gets a sentence about whatever is passed over (damaged checkpoints, pictures).
    /// - Throws: `RunError`, `DatasetError`, `TensorError`, each a sentence.
    public convenience init(
        _ parts: TrainingParts, into run: RunFolder, warn: @escaping (String) -> Void = { _ in }
    ) throws {
        let keep = parts.recipe.training.keepCheckpoints
        try self.init(parts, into: run, from: run.newestCheckpoint(keep: keep, warn: warn), warn: warn)
    }

    private init(
        _ parts: TrainingParts, into run: RunFolder, from checkpoint: Checkpoint?,
        warn: @escaping (String) -> Void
    ) throws {
        (self.parts, self.run, self.warn) = (parts, run, warn)
        let recipe = parts.recipe
        let device = parts.task.store.parameters.first?.device ?? .cpu
        self.device = device
        readsEveryStep = device.kind == .cpu
        state = TrainingState(parts)
        if let checkpoint { try state.restore(checkpoint) }
        validation = try parts.heldOut.map { try Validation(parts.task, $0) }
        loader = try BatchLoader(
            parts.data,
            .init(
                count: parts.data.count, batchSize: recipe.training.batchSize,
                seed: UInt64(truncatingIfNeeded: recipe.seed), remainder: .wrap, mirrors: recipe.data.flip),
            at: state.position, ahead: recipe.training.prefetch, workers: recipe.data.workers
        ) { warn("the data have been waited for \(Int($0)) seconds: look at the disk that they are on") }
        try run.write(recipe)
        findings = FindingsReport(parts.data, path: run.damagedPath, warn: warn)
        findings.update()
    }

    /// The numbers of the run.
    public var recipe: Recipe { parts.recipe }

    /// The number of steps done.
    public var step: Int { state.step }

    /// Trains to the end of the recipe, or until it is interrupted.
    ///
    /// - Parameters:
    ///   - isInterrupted: called between steps; `true` saves and ends.
    ///   - report: gets the progress after every step.
    /// - Throws: `IncompleteRunError` where not everything could be written: that ends no training, but is thrown at its
    ///   end; `RunError` where ten steps in a row had no finite gradient; `TensorError` where arithmetic failed.
    public func train(
        isInterrupted: () -> Bool = { false }, report: (Progress) -> Void = { _ in }
    ) throws -> Outcome {
        let training = recipe.training
        if state.step >= training.steps {
            // The disk may have been full when the last checkpoint had just been saved.
            unwritten.attempt(.model, warn: warn, writeModel)
            try unwritten.check(of: run.path, after: state.step)
            return .complete
        }
        let journal = try TrainingJournal(run, after: run.isContinued ? state.step : nil)
        defer { loader.stop() }
        dataWait.begin(loader.waited)
        while state.step < training.steps {
            try takeStep(journal)
            report(Progress(step: state.step, stepCount: training.steps, loss: latest?.loss ?? .nan))
            let isLast = state.step == training.steps
            if isDue(training.sampleEvery) && !isLast { drawSheet(journal) }
            if isDue(training.checkpointEvery) && !isLast { save(journal) }
            if !isLast && isInterrupted() {
                try readSteps()
                save(journal)
                try unwritten.check([.checkpoint], of: run.path, after: state.step)
                return .interrupted
            }
        }
        if let sentence = dataWait.sentence(loader.waited) { warn(sentence) }
        // What was learnt comes first; pictures of it can be drawn again.
        save(journal)
        drawSheet(journal)
        unwritten.attempt(.plot, warn: warn) { try journal.plotLoss(to: run.path + "/loss.png") }
        try unwritten.check(of: run.path, after: state.step)
        return .complete
    }

    private func isDue(_ interval: Int) -> Bool { isDue(interval, at: state.step) }

    /// Whether something that happens every so many steps happens after a step.
    func isDue(_ interval: Int, at step: Int) -> Bool { interval > 0 && step % interval == 0 }

    // MARK: What a run keeps

    /// A save that fails (a full disk) leaves the checkpoint before it.
    private func save(_ journal: TrainingJournal) {
        unwritten.attempt(.metrics, warn: warn, journal.synchronize)
        unwritten.attempt(.checkpoint, warn: warn) {
            try run.checkpoints(keep: recipe.training.keepCheckpoints)
                .save(step: state.step, parts: state.files(metadata: parts.output.metadata))
        }
        unwritten.attempt(.model, warn: warn, writeModel)
    }

    private func writeModel() throws { try parts.output.write(state.sampledParameters, to: run.modelPath) }

    /// Draws a sheet of samples; one that cannot be drawn ends no run.
    private func drawSheet(_ journal: TrainingJournal) {
        let sheet: Picture?
        do {
            sheet = try parts.output.sheet(state.average?.source ?? state.store.source)
        } catch {
            return warn("step \(state.step): no sheet of samples was drawn: \(error)")
        }
        guard let sheet else { return }
        unwritten.attempt(.samples, warn: warn) {
            try sheet.write(to: URL(file: run.samplePath(step: state.step)))
        }
        unwritten.attempt(.events, warn: warn) { try journal.event(sheet: sheet, step: state.step) }
    }
}

import Checkpoints
import Datasets
import Diffusion
import Foundation
import Layers
import Networks
import Pictures
import Pipelines
import Tensors

/// A training run: data, network, objective, optimizer, and the folder that keeps what comes of it.
///
/// Dataset → Batch → Objective → backward → AdamW → MovingAverage → run folder, once a step.
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
        /// It was asked to stop, and can be resumed.
        case interrupted
    }

    /// The recipe, resolved.
    public let recipe: Recipe
    let run: RunFolder
    let dataset: any Dataset
    let configuration: NetworkConfiguration
    let scheduler: SchedulerConfiguration
    let card: ModelCard
    let device: Device
    package let state: TrainingState
    let network: any NoiseNetwork
    let objective: Objective
    let rate: LearningRate
    let loader: BatchLoader
    let warn: (String) -> Void
    /// Whether each step is looked at before the next one. On the processor nothing is waited for.
    package var readsEveryStep: Bool
    /// What the data have shown so far.
    var findings: FindingsReport
    /// Steps whose loss and gradient nobody has looked at yet.
    var unread = UnreadSteps()
    /// The latest step that was looked at.
    var latest: UnreadSteps.Step?
    /// What could not be written, on a full disk above all.
    var unwritten = UnwrittenFiles()

    /// A run that starts, or goes on where its newest whole checkpoint stands.
    ///
    /// - Parameters:
    ///   - folder: the run folder.
    ///   - resume: go on with the run that is there; where there is none, start one.
    ///   - warn: gets a sentence about whatever is passed over (damaged checkpoints, pictures).
    /// - Throws: `RecipeError`, `RunError`, `DatasetError`, `PipelineError`, `TensorError`, each a sentence.
    public init(
        recipe: Recipe, folder: String, resume: Bool, warn: @escaping (String) -> Void = { _ in }
    ) throws {
        self.warn = warn
        device = try Device(available: recipe.training.device)
        readsEveryStep = device.kind == .cpu
        // More threads than processors would only wait for each other.
        let threads = min(recipe.training.threads, Machine.processorCount)
        if threads < recipe.training.threads {
            warn(
                "training.threads is \(recipe.training.threads): there are \(threads) processors, and as many are used."
            )
        }
        if threads > 0 { try Machine.setThreadCount(threads) }
        do {
            dataset = try recipe.data.open()
        } catch let error as DatasetError {
            throw RecipeError("data.path: \(error)")
        }
        try recipe.checkNotEmpty(dataset)
        let resolved = try recipe.resolved(for: dataset)
        self.recipe = resolved
        scheduler = try resolved.scheduler()
        configuration = try resolved.networkConfiguration(for: dataset)
        card = resolved.card(for: dataset, configuration)
        try resolved.checkSheetSize(for: card)
        try resolved.memoryNeed(of: configuration, pictures: dataset.exampleShape).check(on: device)
        let seed = UInt64(truncatingIfNeeded: resolved.seed)
        let store = ParameterStore(
            .initialized(RandomGenerator(seed: seed)), purpose: .training, on: device,
            memoryFormat: resolved.training.memoryFormat.format)
        network = try store.build(configuration.network)
        // Sampling packs a network's weights, so the one that is trained does not try.
        try resolved.checkSheets(
            of: PictureModel(
                name: "the model", configuration: configuration, scheduler: scheduler, card: card,
                network: ParameterStore(.loaded(store.source), on: device).build(configuration.network),
                device: device))
        let order = try BatchOrder(
            .init(
                count: dataset.count, batchSize: resolved.training.batchSize, seed: seed, remainder: .wrap,
                mirrors: resolved.data.flip))
        state = TrainingState(store: store, recipe: resolved, order: order)
        objective = Objective(
            schedule: scheduler.schedule, prediction: scheduler.prediction, on: device)
        rate = LearningRate(
            peak: resolved.training.learningRate, warmupSteps: resolved.training.warmupSteps,
            totalSteps: resolved.training.steps, curve: resolved.training.schedule)
        // Everything that can be wrong with the recipe has been said: now the folder may be made.
        run = try RunFolder(folder, resume: resume)
        if run.isContinued {
            try resolved.checkResumable(from: run.recipe().resolved(for: dataset))
            let checkpoints = run.checkpoints(keep: resolved.training.keepCheckpoints)
            try checkpoints.sweep()
            if let checkpoint = try checkpoints.newest(warn: warn) { try state.restore(checkpoint) }
        }
        loader = BatchLoader(dataset, order: state.order, ahead: resolved.training.prefetch)
        try run.write(resolved)
        findings = FindingsReport(dataset, path: run.damagedPath, warn: warn)
        findings.update()
        if card.nullClass == nil, resolved.evaluation.guidance != 1 {
            warn("evaluation.guidance changes nothing: the model is told no classes")
        }
    }

    /// The number of steps done.
    public var step: Int { state.step }

    /// Trains to the end of the recipe, or until it is asked to stop.
    ///
    /// - Parameters:
    ///   - isInterrupted: asked between steps; `true` saves and ends.
    ///   - report: told of every step.
    /// - Throws: `IncompleteRunError` where not everything could be written: that ends no training, but is said at its
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
            let metadata = ["format": "pt", "config": JSONValue.object(try configuration.json()).text]
            try run.checkpoints(keep: recipe.training.keepCheckpoints)
                .save(step: state.step, parts: state.parts(metadata: metadata))
        }
        unwritten.attempt(.model, warn: warn, writeModel)
    }

    private func writeModel() throws {
        try ModelLayout.replacing(run.modelPath) { path in
            try ModelLayout(path).write(
                configuration, scheduler: scheduler, card: card, parameters: sampledParameters)
        }
    }

    private var sampledParameters: [(String, Tensor)] {
        guard let average = state.average else { return state.store.named }
        return state.store.names.map { ($0, average.source.tensors[$0]!) }
    }

    /// The model with the weights that are sampled now: its layers pack them, so that another one is needed once
    /// training has changed them.
    private func sampledModel() throws -> PictureModel {
        let store = ParameterStore(
            .loaded(state.average?.source ?? state.store.source), on: device)
        return PictureModel(
            name: run.path, configuration: configuration, scheduler: scheduler, card: card,
            network: try store.build(configuration.network), device: device)
    }

    /// Draws a sheet of samples; one that cannot be drawn ends no run.
    private func drawSheet(_ journal: TrainingJournal) {
        let sheet: Picture
        do {
            sheet = try Picture.sheet(of: SamplingPlan(sampledModel(), recipe.sheetRequest(for: card)).run())
        } catch {
            return warn("step \(state.step): no sheet of samples was drawn: \(error)")
        }
        unwritten.attempt(.samples, warn: warn) {
            try sheet.write(to: URL(fileURLWithPath: run.samplePath(step: state.step)))
        }
        unwritten.attempt(.events, warn: warn) { try journal.event(sheet: sheet, step: state.step) }
    }
}

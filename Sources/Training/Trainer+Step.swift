import Datasets
import Diffusion
import Layers
import Tensors

// One step. Nothing in it waits for the device: what the step gave is looked at later, where that costs a wait.

extension Trainer {
    /// How many steps a device may be ahead of what is known of them; ten bad ones in a row end the run.
    private static let longestWait = 10

    /// Batches → phase by phase gradient and weights → average, and a line of metrics where one is due.
    /// - Throws: `RunError` where ten steps in a row had no finite gradient; `DatasetError`, `TensorError`.
    func takeStep(_ journal: TrainingJournal) throws {
        let training = recipe.training
        let number = state.step + 1
        let learningRate = parts.optimizers.learningRate(state.step)
        let batches = try (0..<training.gradientAccumulation).map { _ in try nextBatch() }
        var (losses, norms): ([NamedLoss], [Tensor]) = ([], [])
        for (phase, description) in state.task.phases.enumerated() where number >= description.firstStep {
            losses += try accumulateGradients(of: batches, phase, description, step: number)
            let optimizer = state.optimizers[phase]
            try parts.exchange.average(optimizer.gradients)
            norms.append(
                try optimizer.step(learningRate: learningRate, clippingTo: parts.optimizers.gradientClip))
            // A phase's loss may reach parameters that are another phase's to move.
            for optimizer in state.optimizers { try optimizer.clearGradients() }
        }
        try state.task.finish(step: number, state.generator)
        try state.average?.update()
        unread.append(number, losses, gradientNorm: norms.count == 1 ? norms[0] : ManyTensors.norm(norms))
        let isLogged = isDue(training.logEvery, at: number) || number == training.steps
        if isLogged || mustBeRead(number) { try readSteps() }
        state.step = number
        if isLogged {
            findings.update()
            try log(journal, learningRate: learningRate)
        }
    }

    private func nextBatch() throws -> Batch {
        let batch = try loader.next()
        state.position = loader.position
        return batch
    }

    /// Backward passes of all batches of a phase.
    /// - Returns: the loss of the phase and its named parts, scalars on the device.
    private func accumulateGradients(
        of batches: [Batch], _ phase: Int, _ description: TrainingPhase, step: Int
    ) throws -> [NamedLoss] {
        var sums: [NamedLoss] = []
        for batch in batches {
            let losses = try losses(of: batch, phase, step: step)
            let share = losses.total.mean() / Double(batches.count)
            try share.backward()
            let parts = losses.parts.map {
                (name: $0.name, value: $0.values.detached().mean() / Double(batches.count))
            }
            let all = ([(name: "loss", value: share.detached())] + parts)
                .map { NamedLoss(name: description.logged($0.name), value: $0.value) }
            sums =
                sums.isEmpty
                ? all : zip(sums, all).map { NamedLoss(name: $0.name, value: $0.value + $1.value) }
        }
        return sums
    }

    private func losses(of batch: Batch, _ phase: Int, step: Int) throws -> Losses {
        func losses() throws -> Losses {
            try ActivationCheckpointing.enabled(where: recipe.training.checkpointActivations) {
                try state.task.losses(batch, phase: phase, step: step, state.generator)
            }
        }
        switch recipe.training.precision {
        case .float32: return try losses()
        case .bfloat16: return try autocast(to: .bfloat16, on: device, losses)
        }
    }

    // MARK: Looking at steps

    /// Whether steps are looked at before the next one: where that costs a wait, the first is, and all are before
    /// anything is kept or drawn and before too many have gone by.
    private func mustBeRead(_ number: Int) -> Bool {
        readsEveryStep || latest == nil || unread.count >= Self.longestWait
            || isDue(recipe.training.checkpointEvery, at: number)
            || isDue(recipe.training.sampleEvery, at: number)
    }

    /// Looks at the steps since the last time. The weights stayed as they were over a step without a finite
    /// gradient; ten in a row end the run.
    func readSteps() throws {
        for step in try unread.read() {
            latest = step
            state.pendingLosses.append(step.loss)
            for (name, value) in step.parts { state.pendingParts[name, default: []].append(value) }
            guard !step.gradientNorm.isFinite else {
                state.skippedInARow = 0
                continue
            }
            state.skippedInARow += 1
            warn("step \(step.number): the gradient is not finite, the step is skipped.")
            guard state.skippedInARow < 10 else {
                throw RunError(
                    "The gradient was not finite for 10 steps in a row, up to step \(step.number): lower training.learning_rate, or use training.precision float32."
                )
            }
        }
    }

    private func log(_ journal: TrainingJournal, learningRate: Double) throws {
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        var values = [(name: "loss", value: mean(state.pendingLosses))]
        values += state.pendingParts.sorted { $0.key < $1.key }.map { ($0.key, mean($0.value)) }
        values += [
            (name: "learning_rate", value: learningRate),
            (name: "gradient_norm", value: latest?.gradientNorm ?? .nan),
        ]
        (state.pendingLosses, state.pendingParts) = ([], [:])
        let isLast = state.step == recipe.training.steps
        if let validation, isLast || isDue(recipe.training.validateEvery, at: state.step) {
            values.append((name: "validation_loss", value: try validation.loss()))
        }
        let share = dataWait.share(loader.waited)
        unwritten.attempt(.metrics, warn: warn) {
            try journal.log(step: state.step, values, dataWait: share)
        }
        unwritten.attempt(.events, warn: warn) { try journal.event(step: state.step, values) }
    }
}

/// The mean over a batch of a loss or of a part of it.
struct NamedLoss {
    let name: String
    /// A scalar on the device.
    let value: Tensor
}

import Datasets
import Diffusion
import Layers
import Networks
import Tensors

// One step. Nothing in it waits for the device: what the step gave is looked at later, where that costs a wait.

extension Trainer {
    /// How many steps a device may be ahead of what is known of them; ten bad ones in a row end the run.
    private static let longestWait = 10

    /// Batches → gradient → weights → average, and a line of metrics where one is due.
    /// - Throws: `RunError` where ten steps in a row had no finite gradient; `DatasetError`, `TensorError`.
    func takeStep(_ journal: TrainingJournal) throws {
        let training = recipe.training
        let number = state.step + 1
        let loss = try accumulateGradients()
        let learningRate = rate(state.step)
        let norm = try state.optimizer.step(
            learningRate: learningRate, clippingTo: training.gradientClip)
        try state.average?.update()
        try state.optimizer.clearGradients()
        unread.append(number, loss: loss, gradientNorm: norm)
        let isLogged = isDue(training.logEvery, at: number) || number == training.steps
        if isLogged || mustBeRead(number) { try readSteps() }
        state.step = number
        if isLogged {
            findings.update()
            log(journal, learningRate: learningRate)
        }
    }

    /// Backward passes of all batches of a step.
    /// - Returns: the loss of the step, a scalar on the device.
    private func accumulateGradients() throws -> Tensor {
        let count = recipe.training.gradientAccumulation
        var losses: [Tensor] = []
        for _ in 0..<count {
            let share = try lossOfNextBatch() / Double(count)
            try share.backward()
            losses.append(share.detached())
        }
        return losses.dropFirst().reduce(losses[0], +)
    }

    private func lossOfNextBatch() throws -> Tensor {
        let training = recipe.training
        let batch = try loader.next()
        state.order = loader.order
        let labels = try told(batch.labels)
        let pictures = batch.data.sent(to: device).contiguous(training.memoryFormat.format)
        let network = self.network
        let dropout = state.generator
        func loss() -> Tensor {
            Activations.recomputed(where: training.checkpointActivations) {
                objective.loss(pictures, state.generator) { x, times in
                    network(x, time: times, Conditions(labels: labels), dropout: dropout)
                }.mean()
            }
        }
        switch training.precision {
        case .float32: return loss()
        case .bfloat16: return autocast(to: .bfloat16, on: device, loss)
        }
    }

    /// The labels that the network is told: some of them hidden behind the class that stands for none.
    /// Source: Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1.
    private func told(_ labels: Tensor?) throws -> Tensor? {
        guard let null = card.nullClass, let labels else { return nil }
        let hidden = state.generator.coin(labels.shape, probability: recipe.diffusion.conditionDropout ?? 0)
        return labels.filled(with: Double(null), where: hidden).sent(to: device)
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

    private func log(_ journal: TrainingJournal, learningRate: Double) {
        let mean = state.pendingLosses.reduce(0, +) / Double(state.pendingLosses.count)
        state.pendingLosses = []
        let values = [
            (name: "loss", value: mean), (name: "learning_rate", value: learningRate),
            (name: "gradient_norm", value: latest?.gradientNorm ?? .nan),
        ]
        unwritten.attempt(.metrics, warn: warn) { try journal.log(step: state.step, values) }
        unwritten.attempt(.events, warn: warn) { try journal.event(step: state.step, values) }
    }
}

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
        let (training, optimizers) = (recipe.training, parts.optimizers)
        let number = state.step + 1
        let losses = try accumulateGradients()
        try parts.exchange.average(state.store.parameters.compactMap(\.gradient))
        let learningRate = optimizers.learningRate(state.step)
        let norm = try state.optimizer.step(
            learningRate: learningRate, clippingTo: optimizers.gradientClip)
        try state.average?.update()
        try state.optimizer.clearGradients()
        unread.append(number, losses, gradientNorm: norm)
        let isLogged = isDue(training.logEvery, at: number) || number == training.steps
        if isLogged || mustBeRead(number) { try readSteps() }
        state.step = number
        if isLogged {
            findings.update()
            try log(journal, learningRate: learningRate)
        }
    }

    /// Backward passes of all batches of a step.
    /// - Returns: the loss of the step and its named parts, scalars on the device.
    private func accumulateGradients() throws -> [NamedLoss] {
        let count = recipe.training.gradientAccumulation
        var sums: [NamedLoss] = []
        for _ in 0..<count {
            let losses = try lossesOfNextBatch()
            let share = losses.total.mean() / Double(count)
            try share.backward()
            let all =
                [NamedLoss(name: "loss", value: share.detached())]
                + losses.parts.map {
                    NamedLoss(name: $0.name, value: $0.values.detached().mean() / Double(count))
                }
            sums =
                sums.isEmpty
                ? all : zip(sums, all).map { NamedLoss(name: $0.name, value: $0.value + $1.value) }
        }
        return sums
    }

    private func lossesOfNextBatch() throws -> Losses {
        let training = recipe.training
        let batch = try loader.next()
        state.order = loader.order
        let dropout = state.generator
        func losses() throws -> Losses {
            let (example, roles) = try parts.bound(to: batch, dropout, isTraining: true, on: device)
            return try ActivationCheckpointing.enabled(where: training.checkpointActivations) {
                try state.objective.losses(example, roles, dropout)
            }
        }
        switch training.precision {
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
        unwritten.attempt(.metrics, warn: warn) { try journal.log(step: state.step, values) }
        unwritten.attempt(.events, warn: warn) { try journal.event(step: state.step, values) }
    }
}

/// The mean over a batch of a loss or of a part of it.
struct NamedLoss {
    let name: String
    /// A scalar on the device.
    let value: Tensor
}

extension TrainingParts {
    /// A batch as objectives take it, and the networks with its conditions bound.
    /// - Parameters:
    ///   - generator: for what the codec draws and, in training, for hidden conditions and dropout.
    ///   - isTraining: whether conditions are hidden and numbers dropped.
    /// - Throws: the error that a tensor carries.
    func bound(
        to batch: Batch, _ generator: RandomGenerator, isTraining: Bool, on device: Device
    ) throws -> (Example, Roles) {
        let dropout = isTraining ? generator : nil
        let conditions = try conditioner.conditions(of: batch, hiding: dropout, on: device)
        let network = roles.student
        return (
            try example(of: batch, generator, on: device),
            Roles { x, times in network(x, time: times, conditions, dropout: dropout) }
        )
    }

    /// A batch encoded, on a device, in the recipe's order of memory.
    private func example(of batch: Batch, _ generator: RandomGenerator, on device: Device) throws -> Example {
        func placed(_ tensor: Tensor) -> Tensor {
            let sent = tensor.sent(to: device)
            return sent.rank == 4 ? sent.contiguous(recipe.training.memoryFormat.format) : sent
        }
        var example = Example(data: try codec.encoded(placed(batch.data), generator))
        let own = batch.tensors.filter { !["data", "labels"].contains($0.key) }
        for (name, tensor) in own { example[name] = placed(tensor) }
        example.labels = conditioner.classes(of: batch)
        return example
    }
}

import Datasets
import Tensors

extension Recipe {
    /// The parts of the run that the recipe describes. Nothing is written.
    ///
    /// - Parameter warn: gets a sentence about whatever is passed over.
    /// - Throws: `RecipeError`, `DatasetError`, `PipelineError`, `TensorError`, each a sentence.
    public func parts(warn: @escaping (String) -> Void = { _ in }) throws -> TrainingParts {
        try validate()
        let device = try Device(available: training.device)
        let dataset = try opened(data)
        try checkNotEmpty(dataset)
        var parts = try model.kind.parts(self, .init(data: dataset, device: device, warn: warn))
        parts.heldOut = parts.recipe.heldOut(warn: warn)
        return parts
    }

    private func opened(_ section: DataSection) throws -> any Dataset {
        do {
            return try section.open()
        } catch let error as DatasetError {
            throw RecipeError("data.path: \(error)")
        }
    }

    /// What is held back from training, to measure the loss on; `nil` where nothing is.
    private func heldOut(warn: (String) -> Void) -> (any Dataset)? {
        guard data.split == .train else { return nil }
        do {
            let dataset = try data.open(.evaluation)
            return dataset.count > 0 ? dataset : nil
        } catch {
            warn("there is no validation loss: \(error)")
            return nil
        }
    }

    /// Sets the number of threads. More threads than processors would only wait for each other.
    func useThreads(warn: (String) -> Void) throws {
        let threads = min(training.threads, Machine.processorCount)
        if threads < training.threads {
            warn(
                "training.threads is \(training.threads): there are \(threads) processors, and as many are used."
            )
        }
        if threads > 0 { try Machine.setThreadCount(threads) }
    }
}

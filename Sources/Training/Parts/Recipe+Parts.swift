import Checkpoints
import Datasets
import Pipelines
import Tensors

extension Recipe {
    /// The parts of the run that the recipe describes. Nothing is written.
    ///
    /// - Parameter warn: gets a sentence about whatever is passed over.
    /// - Throws: `RecipeError`, `DatasetError`, `PipelineError`, `TensorError`, each a sentence.
    public func parts(warn: @escaping (String) -> Void = { _ in }) throws -> TrainingParts {
        try validate()
        let device = try Device(available: training.device)
        let recipe = try fittedToAutoencoder()
        let dataset = try opened(recipe.data)
        try checkNotEmpty(dataset)
        let validation = try recipe.validationData(beside: dataset)
        var parts = try model.kind.parts(recipe, .init(data: dataset, device: device, warn: warn))
        parts.heldOut = validation ?? parts.recipe.heldOut(warn: warn)
        return parts
    }

    /// The recipe with channels and size of the data as its autoencoder takes them, where they are not given.
    private func fittedToAutoencoder() throws -> Recipe {
        guard let path = model.autoencoder else { return self }
        var recipe = self
        do {
            recipe.data = data.fitted(to: try StoredAutoencoder(path).configuration.traits)
        } catch let error as PipelineError {
            throw RecipeError("model.autoencoder: \(error)")
        } catch let error as CheckpointError {
            throw RecipeError("model.autoencoder: \(error)")
        }
        return recipe
    }

    private func opened(_ section: DataSection) throws -> any Dataset {
        do {
            return try section.open()
        } catch let error as DatasetError {
            throw RecipeError("data.path: \(error)")
        }
    }

    /// The data at `data.validation_path`; `nil` where there is none.
    /// - Throws: `RecipeError` where they cannot be read, or have other classes or shapes than what is learnt from.
    private func validationData(beside learnt: any Dataset) throws -> (any Dataset)? {
        guard let path = data.validationPath else { return nil }
        var section = data
        (section.path, section.split, section.buckets) = (path, .all, nil)
        do {
            let dataset = try section.open()
            // A network that reads texts learns no classes.
            let readsClasses = model.conditioning != .text
            guard dataset.count > 0, dataset.exampleShape == learnt.exampleShape,
                !readsClasses || dataset.classNames == learnt.classNames
            else {
                throw RecipeError(
                    "data.validation_path: \(path) has no examples, or other classes or shapes than data.path; give data that are arranged alike."
                )
            }
            return dataset
        } catch let error as DatasetError {
            throw RecipeError("data.validation_path: \(error)")
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

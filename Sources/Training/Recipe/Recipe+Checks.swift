import Datasets
import Diffusion
import Networks
import Pipelines
import Tensors

// What can be known of a run's end before its first step.

extension Recipe {
    /// Checks that there is a picture for each class on a sheet.
    /// - Throws: `RecipeError` that names the key.
    func checkSheetSize(for card: ModelCard) throws {
        guard let classes = card.nullClass, evaluation.count < classes else { return }
        throw RecipeError(
            "evaluation.count is \(evaluation.count): write at least \(classes), a picture for each class of the data."
        )
    }

    /// Takes the first step of a sheet, which shows whether the whole could be drawn as `evaluation` says.
    /// - Throws: `RecipeError` with the reason why not.
    func checkSheets(of model: Model, _ sheet: Request) throws {
        var request = sheet
        request.batchSize = 1
        do {
            // The network may be the one that is trained: nothing of this trial is for its gradients.
            try withoutGradients {
                let run = try model.run(request)
                if run.next() == nil { _ = try run.samples() }
            }
        } catch {
            throw RecipeError("evaluation: no sheet of samples could be drawn: \(error)")
        }
    }

    /// The samples of a sheet: every class, or the first captions, in turn.
    /// - Parameter captions: those of the data; `nil` where the model is not conditioned on texts.
    func sheetRequest(_ card: ModelCard, captions: [String]?) -> Request {
        var request = Request()
        request.count = evaluation.count
        request.seed = UInt64(truncatingIfNeeded: seed)
        request.grid = evaluation.grid
        request.classes = card.nullClass == nil ? nil : .all
        if let captions {
            var seen: Set<String> = []
            let shown = captions.filter { seen.insert($0).inserted }
            request.prompts = (0..<request.count).map { shown.isEmpty ? "" : shown[$0 % shown.count] }
        }
        return request
    }

    /// Pictures of lower resolution for a sheet, of the classes that it shows; `nil` where the network enlarges none.
    func smallPictures(for card: ModelCard, _ data: any Dataset) throws -> Tensor? {
        guard let enlargement = model.network.configuration.traits.enlargement else { return nil }
        let count = evaluation.count
        let batch = try data.batch(at: data.evenlySpread(max(count, 1000)))
        let found = batch.data.shape[0]
        var places = (0..<count).map { $0 % found }
        if let classes = card.nullClass, let labels = try batch.labels?.array(of: Int.self) {
            let ofClass = Dictionary(grouping: labels.indices) { labels[$0] }
            places = (0..<count).map { index in
                let own = ofClass[index * classes / count] ?? [0]
                return own[index % own.count]
            }
        }
        return concatenated(places.map { batch.data.slice($0..<$0 + 1, of: 0) })
            .averagePooled(enlargement.factor)
    }

    /// A sentence where the weighting leaves next to nothing to most times; `nil` where it does not.
    func weightingCaution(_ objective: any Objective) -> String? {
        guard let share = (objective as? any WeightedObjective)?.weightOfLargestTenth, share > 0.75 else {
            return nil
        }
        let (weighting, prediction) = (self.objective.weighting, diffusion.prediction ?? "")
        let (loss, other) =
            weighting.map { ("objective.weighting \($0)", "objective.weighting simple") }
            ?? ("objective.kind \(self.objective.kind)", "objective.kind hybrid")
        let remedy =
            prediction == "v" ? "\(other) spreads it" : "\(other) or diffusion.prediction v spread it"
        return
            "\(loss) with diffusion.prediction \(prediction): a tenth of the times has \(Int(share * 100)) % of the weight, and little is learnt of the others; \(remedy)"
    }

    /// Checks that there is something to learn from.
    /// - Throws: `RecipeError`
    func checkNotEmpty(_ dataset: any Dataset) throws {
        guard dataset.count == 0 else { return }
        throw RecipeError(
            "data.split is \(data.split.word): no class in the folder has ten pictures, of which one would be held back; write train or all."
        )
    }
}

import Datasets
import Pipelines
import Tensors

/// The examples whose likelihood is measured, with what each is conditioned on.
struct LikelihoodExamples {
    /// Some of them.
    struct Batch {
        let data: Tensor
        let condition: BareModel.Condition
    }

    /// The number of examples.
    let count: Int
    /// The number of elements of one.
    let dimension: Int
    /// What they are conditioned on, in words.
    let conditionWords: String
    private let data: any Dataset
    private let places: [Int]
    private let batchSize: Int
    private let takesClasses: Bool
    private let takesPrompts: Bool

    /// Draws examples of a data set that fit a model.
    /// - Throws: `EvaluationError` where they do not.
    init(_ data: some Dataset, for model: BareModel, _ options: LikelihoodMeasure.Options) throws {
        guard data.exampleShape == model.sampleShape else {
            throw EvaluationError(
                "the data have the shape \(data.exampleShape), and \(model.name) is one of \(model.sampleShape): give data of the model's own shape"
            )
        }
        guard data.count > 0 else {
            throw EvaluationError("the data have no examples: give another part of them")
        }
        let count = options.count ?? min(100, data.count)
        guard count <= data.count else {
            throw EvaluationError(
                "the count is \(count), and the data have \(data.count) examples: give fewer")
        }
        let order: [Int64] = try RandomGenerator(seed: options.seed).permutation(data.count).array()
        places = order.prefix(count).map(Int.init)
        (self.data, self.count, batchSize) = (data, count, options.batchSize)
        dimension = data.exampleShape.elementCount
        takesClasses = model.classCount != nil && model.classCount == data.classCount && model.mixture == nil
        takesPrompts = model.takesPrompt && (data.classNames != nil || !data.captions.isEmpty)
        guard takesClasses || model.hasUnconditional else {
            throw EvaluationError(
                "\(model.name) has \(model.classCount ?? 0) classes and no unconditional branch: give data with its classes"
            )
        }
        conditionWords =
            takesClasses
            ? "the class of each"
            : takesPrompts ? "the text of each" : model.takesPrompt ? "an empty text" : "nothing"
    }

    /// The batches.
    var ranges: [Range<Int>] {
        stride(from: 0, to: count, by: batchSize).map { $0..<min($0 + batchSize, count) }
    }

    /// The examples of a range.
    func batch(_ range: Range<Int>) throws -> Batch {
        let batch = try data.batch(at: Array(places[range]))
        let labels: [Int64]? = try batch.labels?.array()
        var condition = BareModel.Condition.none
        if takesClasses, let labels { condition = .classes(labels.map(Int.init)) }
        if takesPrompts {
            let names = data.classNames
            let texts = range.indices.map { place -> String in
                let index = place - range.lowerBound
                if let caption = batch.captions?[index].first { return caption }
                return labels.flatMap { labels in names.map { $0[Int(labels[index])] } } ?? ""
            }
            condition = .prompts(texts)
        }
        return Batch(data: batch.data, condition: condition)
    }
}

import Layers
import Tensors

/// What stands before the blocks of networks that look at a context: the embedded time with all that is added to it, and the
/// context in the width that attention reads.
/// Parameters `time_proj.*`, `time_embedding.*`, `class_embedding.*`, `encoder_hid_proj.*`, `add_embedding.*`.
struct ConditionEmbedding {
    let configuration: UNet2DConditionConfiguration
    /// How many heads of attention are computed at once.
    var slicing = AttentionSlicing.whole

    private let timeProjection: TimeProjection
    private let guidanceProjection: Linear?
    private let timeEmbedding: TimestepEmbedding
    private let classEmbedding: ClassEmbedding?
    private let additionEmbedding: TimestepEmbedding?
    private let pooledContext: PooledContext?
    private let contextProjection: Linear?

    init(_ configuration: UNet2DConditionConfiguration, _ weights: Weights) {
        self.configuration = configuration
        timeProjection = TimeProjection(configuration, weights["time_proj"])
        guidanceProjection = configuration.timeCondProjDim.map {
            Linear(
                inputs: $0, outputs: configuration.timeFeatures, bias: false,
                weights["time_embedding"]["cond_proj"])
        }
        timeEmbedding = TimestepEmbedding(
            inputs: configuration.timeFeatures, outputs: configuration.timeWidth,
            activation: configuration.actFn, weights["time_embedding"])
        classEmbedding = ClassEmbedding(configuration, weights["class_embedding"])
        contextProjection = configuration.contextProjection(weights["encoder_hid_proj"])
        additionEmbedding = configuration.additionEmbedding(weights["add_embedding"])
        pooledContext = configuration.pooledContext(weights["add_embedding"])
    }

    /// Conditions with the keys and values that layers read of the context, and what is added to the embedded time for it.
    func preparing(_ conditions: Conditions, for layers: [any ContextLayer]) -> Conditions {
        guard let given = conditions[.context] else { return conditions }
        let context = contextProjection?(given) ?? given
        var prepared = conditions
        prepared[.projections] = ContextProjections(
            Dictionary(uniqueKeysWithValues: layers.map { ($0.name, $0.projection(of: context)) }),
            pooled: pooledContext?(given))
        return prepared
    }

    /// What attention is given beside a batch.
    func attentionInputs(_ conditions: Conditions, for x: Tensor) -> AttentionInputs {
        precondition(
            (conditions[.context] != nil) == configuration.looksAtContext,
            "a context goes with attention to one, and with nothing else")
        if let context = conditions[.context] {
            precondition(
                context.shape[0] == x.shape[0],
                "the context \(context.shape) is not for the batch of \(x.shape)")
        }
        // A token that is hidden gets a large negative score rather than none at all, as in diffusers: where
        // all are hidden, all are seen alike, and nothing is divided by zero.
        let bias = conditions[.contextMask].map { mask in
            ((1 - mask.to(x.elementType)) * -10_000).unsqueezed(1).unsqueezed(1)
        }
        var context = conditions[.context]
        // What layers have made of it already is read in its place.
        if let contextProjection, conditions[.projections] == nil {
            context = context.map { contextProjection($0) }
        }
        return AttentionInputs(
            context: context, contextBias: bias, projections: conditions[.projections],
            imagePrompts: conditions[.imagePrompts], slicing: slicing)
    }

    /// The embedded time, `[batch or 1, timeWidth]`, as blocks read it: after the non-linearity, unless they have their own.
    func time(_ time: Tensor, _ conditions: Conditions, as type: ElementType) -> Tensor {
        let embedded = embedding(time, conditions, as: type)
        return configuration.resnetSkipTimeAct ? embedded : configuration.actFn(embedded)
    }

    private func embedding(_ time: Tensor, _ conditions: Conditions, as type: ElementType) -> Tensor {
        var features = timeProjection(time).to(type)
        precondition(
            (conditions[.guidance] == nil) || (guidanceProjection != nil),
            "a guidance scale goes with 'time_cond_proj_dim', and with nothing else")
        if let guidanceProjection, let guidance = conditions[.guidance] {
            features = features + guidanceProjection(guidance.to(type))
        }
        var embedded = timeEmbedding(features)
        if let act = configuration.timestepPostAct { embedded = act(embedded) }
        embedded = labelled(embedded, conditions[.labels])
        if let addition = addition(conditions, as: type) { embedded = embedded + addition }
        if let pooledContext, let context = conditions[.context] {
            embedded = embedded + (conditions[.projections]?.pooled ?? pooledContext(context))
        }
        return configuration.timeEmbeddingActFn?(embedded) ?? embedded
    }

    private func labelled(_ embedded: Tensor, _ labels: Tensor?) -> Tensor {
        precondition(
            (labels != nil) == (classEmbedding != nil),
            "labels go with a class embedding, and with nothing else")
        guard let classEmbedding, let labels else { return embedded }
        let label = classEmbedding(labels, timeProjection, as: embedded.elementType)
        guard configuration.classEmbeddingsConcat else { return embedded + label }
        return concatenated([embedded.expanded(to: [label.shape[0], embedded.shape[1]]), label], along: -1)
    }

    private func addition(_ conditions: Conditions, as type: ElementType) -> Tensor? {
        precondition(
            (conditions[.numbers] != nil) == (additionEmbedding != nil)
                && (conditions[.pooledText] != nil) == (additionEmbedding != nil),
            "a pooled text and numbers go with 'text_time', and with nothing else")
        guard let additionEmbedding, let numbers = conditions[.numbers], let pooled = conditions[.pooledText]
        else {
            return nil
        }
        let embedded = sinusoidalEmbedding(
            numbers.flattened(), width: configuration.additionTimeEmbedDim ?? 0,
            shift: Double(configuration.freqShift), cosinesFirst: configuration.flipSinToCos)
        let features = embedded.reshaped([numbers.shape[0], -1])
        return additionEmbedding(concatenated([pooled.to(type), features.to(type)], along: -1))
    }
}

import Layers
import Tensors

/// The U-Net that looks at a context, under the parameter names of diffusers' `UNet2DConditionModel`: the
/// denoiser of latent diffusion, Stable Diffusion 1, 2 and XL, their inpainting and upscaling models, and
/// DeepFloyd IF.
///
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.3; sizes and crops beside the time: Podell et
/// al. 2023 (arXiv:2307.01952), section 2.2; the pooled text beside it: Saharia et al. 2022
/// (arXiv:2205.11487), section 2.4.
public struct UNet2DCondition: Sendable {
    /// What the network was built from.
    public let configuration: UNet2DConditionConfiguration
    /// How many heads of attention are computed at once.
    public var attentionSlicing = AttentionSlicing.whole

    let timeProjection: TimeProjection
    let guidanceProjection: Linear?
    let timeEmbedding: TimestepEmbedding
    let classEmbedding: ClassEmbedding?
    let additionEmbedding: TimestepEmbedding?
    let pooledContext: PooledContext?
    let contextProjection: Linear?
    let inputConvolution: Convolution2D
    let body: UNetBody
    let outputNorm: GroupNorm
    let outputConvolution: Convolution2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: UNet2DConditionConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let first = configuration.blockOutChannels[0]
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
        inputConvolution = Convolution2D(
            inputs: configuration.inChannels, outputs: first, kernel: configuration.convInKernel,
            padding: configuration.convInKernel / 2, weights["conv_in"])
        body = UNetBody(
            down: configuration.downBlocks(weights["down_blocks"]),
            middle: configuration.middleBlock(weights["mid_block"]),
            up: configuration.upBlocks(weights["up_blocks"]))
        outputNorm = GroupNorm(
            groups: configuration.normNumGroups, channels: first, epsilon: configuration.normEps,
            weights["conv_norm_out"])
        outputConvolution = Convolution2D(
            inputs: first, outputs: configuration.outChannels, kernel: configuration.convOutKernel,
            padding: configuration.convOutKernel / 2, weights["conv_out"])
    }

    /// The network's output for a batch, of any height and width.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - conditions: what the configuration asks for, and nothing else.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, outChannels, height, width]`
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions = Conditions(), dropout: RandomGenerator? = nil
    ) -> Tensor {
        conditions.checkRead(Self.conditionNames, by: Self.className)
        let embedded = embedding(time, conditions, as: x.elementType)
        let attention = attentionInputs(conditions, for: x)
        let hidden = body(
            inputConvolution(configuration.centerInputSample ? 2 * x - 1 : x),
            time: configuration.resnetSkipTimeAct ? embedded : configuration.actFn(embedded),
            attention: attention,
            control: conditions[.control], deep: conditions[.deepFeatures], dropout: dropout)
        return outputConvolution(outputNorm.deferred(hidden).then(configuration.actFn))
    }

    /// The same conditions with the keys and values that the layers read of the context, and what is added to the embedded
    /// time for it.
    public func preparing(_ conditions: Conditions) -> Conditions {
        guard let given = conditions[.context] else { return conditions }
        let context = contextProjection?(given) ?? given
        var prepared = conditions
        prepared[.projections] = ContextProjections(
            Dictionary(
                uniqueKeysWithValues: body.contextLayers.map { ($0.name, $0.projection(of: context)) }),
            pooled: pooledContext?(given))
        return prepared
    }

    private func attentionInputs(_ conditions: Conditions, for x: Tensor) -> AttentionInputs {
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
            slicing: attentionSlicing)
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

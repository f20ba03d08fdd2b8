import Layers
import Tensors

/// The networks of EDM: DDPM++ and NCSN++ for small pictures, and ADM's under other names. Parameters are called as in the
/// published checkpoints, `model.enc.32x32_block0.conv0.weight` and so on.
/// Source: Karras et al. 2022 (arXiv:2206.00364), appendix F.2 and table 7, after Song et al. 2021 (arXiv:2011.13456),
/// appendix H, and Dhariwal and Nichol 2021 (arXiv:2105.05233).
public struct EDMUNet: Sendable {
    /// What the network was built from.
    public let configuration: EDMUNetConfiguration

    /// A block on the way down, and whether the picture is added to what it gives.
    private struct Step: Sendable {
        let block: EDMBlock
        let picture: Convolution2D?
    }

    private let frequencies: Tensor?
    private let label: Linear?
    private let layer0: Linear
    private let layer1: Linear
    private let input: Convolution2D
    private let down: [Step]
    private let middle: [EDMBlock]
    /// The blocks on the way up, and whether each reads what the way down left.
    private let up: [(block: EDMBlock, reads: Bool)]
    private let outputNorm: GroupNorm
    private let output: Convolution2D
    private let filter: ResamplingFilter

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: EDMUNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (weights, isSong) = (weights["model"], configuration.modelType == .song)
        let (features, width) = (configuration.noiseFeatures, configuration.timeWidth)
        let hasFrequencies = isSong && configuration.embeddingType == .fourier
        frequencies =
            hasFrequencies
            ? weights["map_noise"].constant("freqs", [features / 2], .normal(deviation: 16)) : nil
        label =
            configuration.labelDim > 0
            ? Linear(
                inputs: configuration.labelDim, outputs: isSong ? features : width, bias: isSong,
                weights["map_label"]) : nil
        if configuration.augmentDim > 0 {
            // Of pictures as they are all its inputs are zeros.
            _ = Linear(
                inputs: configuration.augmentDim, outputs: features, bias: false, weights["map_augment"])
        }
        layer0 = Linear(inputs: features, outputs: width, weights["map_layer0"])
        layer1 = Linear(inputs: width, outputs: width, weights["map_layer1"])
        let options = configuration.blockOptions
        filter = options.filter
        let (side, channels) = (configuration.imgResolution, configuration.imgChannels)
        let encoder = weights["enc"]
        input = Convolution2D(
            inputs: channels, outputs: configuration.modelChannels, kernel: 3, padding: 1,
            encoder["\(side)x\(side)_conv"])
        var skips = [configuration.modelChannels]
        down = configuration.downSteps(options, encoder, &skips).map { Step(block: $0, picture: $1) }
        let decoder = weights["dec"]
        let (last, lowest) = (configuration.widths.last!, side >> (configuration.widths.count - 1))
        middle = [true, false].enumerated().map { index, attends in
            EDMBlock(last, last, options, attends: attends, decoder["\(lowest)x\(lowest)_in\(index)"])
        }
        up = configuration.upBlocks(options, decoder, &skips)
        let first = configuration.widths[0]
        outputNorm = edmNorm(
            first, epsilon: options.epsilon,
            isSong ? decoder["\(side)x\(side)_aux_norm"] : weights["out_norm"])
        output = Convolution2D(
            inputs: first, outputs: configuration.outChannels ?? channels, kernel: 3, padding: 1,
            isSong ? decoder["\(side)x\(side)_aux_conv"] : weights["out_conv"])
    }

    /// The network's output for a batch.
    /// - Parameters:
    ///   - x: `[batch, imgChannels, height, width]`, scaled to unit variance.
    ///   - time: c_noise, `[batch]` or `[1]`.
    ///   - labels: `[batch]` as `int64`, where the network knows classes, and only there.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, labels: Tensor? = nil, dropout: RandomGenerator? = nil
    ) -> Tensor {
        let embedded = embedding(time, labels, as: x.elementType)
        var (hidden, picture) = (input(x), x)
        var skips = [hidden]
        for step in down {
            hidden = run(step.block, hidden, embedded, dropout)
            if let convolution = step.picture {
                // The picture is halved behind its convolution, and what both give is what the next level reads.
                picture = (hidden + filter.halved(convolution(picture), isPadded: true)) * 0.5.squareRoot()
                hidden = picture
            }
            skips.append(hidden)
        }
        for block in middle { hidden = run(block, hidden, embedded, dropout) }
        for (block, reads) in up {
            if reads { hidden = concatenated([hidden, skips.removeLast()], along: 1) }
            hidden = run(block, hidden, embedded, dropout)
        }
        return output(outputNorm.deferred(hidden).then(.silu).value)
    }

    /// A block, which may be computed again in the backward pass.
    private func run(_ block: EDMBlock, _ x: Tensor, _ time: Tensor, _ dropout: RandomGenerator?) -> Tensor {
        recomputable([x, time], dropout: dropout) { block($0[0], time: $0[1], dropout: dropout) }
    }

    /// The vector that blocks read.
    private func embedding(_ time: Tensor, _ labels: Tensor?, as type: ElementType) -> Tensor {
        precondition(
            (labels != nil) == (label != nil), "labels go with a class embedding, and with nothing else")
        let classes = labels.map { $0.oneHot(configuration.labelDim).to(type) }
        let waves = noiseFeatures(time).to(type)
        guard configuration.modelType == .song else {
            let embedded = layer1(layer0(waves).silu())
            return (classes.flatMap { label?($0) }.map { embedded + $0 } ?? embedded).silu()
        }
        // Classes have unit variance over all of them.
        let scaled = classes.map { $0 * Double(configuration.labelDim).squareRoot() }
        let sum = scaled.flatMap { label?($0) }.map { waves + $0 } ?? waves
        return layer1(layer0(sum).silu()).silu()
    }

    private func noiseFeatures(_ time: Tensor) -> Tensor {
        let width = configuration.noiseFeatures
        if let frequencies {
            let angles =
                time.to(.float32).unsqueezed(1) * frequencies.to(.float32).unsqueezed(0) * (2 * Double.pi)
            return concatenated([angles.sin(), angles.cos()], along: 1)
        }
        // DDPM's sines come first and end at the longest period, ADM's cosines come first.
        return configuration.modelType == .song
            ? sinusoidalEmbedding(time, width: width, shift: 1)
            : sinusoidalEmbedding(time, width: width, cosinesFirst: true)
    }
}

extension EDMUNetConfiguration {
    var blockOptions: EDMBlockOptions {
        let isSong = modelType == .song
        return EDMBlockOptions(
            timeWidth: timeWidth, epsilon: isSong ? 1e-6 : 1e-5, sumScale: isSong ? 0.5.squareRoot() : 1,
            scalesAndShifts: !isSong, headSize: isSong ? nil : 64, projectsResampled: isSong,
            filter: ResamplingFilter(isSong ? resampleFilter : [1, 1]), dropout: dropout)
    }

    /// The blocks on the way down, those that halve with the convolution of the picture where it is added.
    /// - Parameter skips: receives the channels that each leaves for the way up.
    fileprivate func downSteps(_ options: EDMBlockOptions, _ weights: Weights, _ skips: inout [Int]) -> [(
        EDMBlock, Convolution2D?
    )] {
        let readsPicture = modelType == .song && encoderType == .residual
        var steps: [(EDMBlock, Convolution2D?)] = []
        var (width, pictureWidth) = (modelChannels, imgChannels)
        for (level, outputs) in widths.enumerated() {
            let name = "\(imgResolution >> level)x\(imgResolution >> level)"
            if level > 0 {
                let picture =
                    readsPicture
                    ? Convolution2D(
                        inputs: pictureWidth, outputs: width, kernel: 3, padding: 1 + options.filter.border,
                        weights["\(name)_aux_residual"]) : nil
                steps.append(
                    (EDMBlock(width, width, options, resampling: .halved, weights["\(name)_down"]), picture))
                skips.append(width)
                pictureWidth = width
            }
            for index in 0..<numBlocks {
                steps.append(
                    (
                        EDMBlock(
                            width, outputs, options, attends: attends(at: level),
                            weights["\(name)_block\(index)"]),
                        nil
                    ))
                skips.append(outputs)
                width = outputs
            }
        }
        return steps
    }

    /// The blocks on the way up, and whether each reads what the way down left.
    /// - Parameter skips: loses the channels that each reads.
    fileprivate func upBlocks(_ options: EDMBlockOptions, _ weights: Weights, _ skips: inout [Int]) -> [(
        block: EDMBlock, reads: Bool
    )] {
        var blocks: [(block: EDMBlock, reads: Bool)] = []
        var width = widths.last!
        for (level, outputs) in widths.enumerated().reversed() {
            let name = "\(imgResolution >> level)x\(imgResolution >> level)"
            if level < widths.count - 1 {
                blocks.append(
                    (EDMBlock(width, width, options, resampling: .doubled, weights["\(name)_up"]), false))
            }
            for index in 0...numBlocks {
                // DDPM++ attends in the last block of a level alone.
                let isAttended = attends(at: level) && (modelType == .dhariwal || index == numBlocks)
                blocks.append(
                    (
                        EDMBlock(
                            width + skips.removeLast(), outputs, options, attends: isAttended,
                            weights["\(name)_block\(index)"]), true
                    ))
                width = outputs
            }
        }
        return blocks
    }
}

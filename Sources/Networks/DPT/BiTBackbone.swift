import Layers
import Tensors

/// A residual network whose convolutions have standardized weights, as the first part of an estimator of depth.
/// Parameters `bit.embedder.*`, `bit.encoder.stages.N.layers.M.*`.
/// Source: Kolesnikov et al. 2020 (arXiv:1912.11370), section 3.1; its bottlenecks norm after convolutions, as those of
/// He et al. 2016 (arXiv:1512.03385) do.
struct BiTBackbone {
    let first: StandardizedConvolution
    let firstNorm: GroupNorm
    let stages: [[BiTBottleneck]]
    let configuration: BiTConfiguration

    init(_ configuration: BiTConfiguration, _ weights: Weights) {
        self.configuration = configuration
        let (weights, width) = (weights["bit"], configuration.embeddingSize)
        first = StandardizedConvolution(
            inputs: configuration.numChannels, outputs: width, kernel: 7, stride: 2,
            weights["embedder"]["convolution"])
        firstNorm = GroupNorm(
            groups: configuration.numGroups, channels: width, weights["embedder"]["norm"])
        var (inputs, stages) = (width, [[BiTBottleneck]]())
        for (index, outputs) in configuration.hiddenSizes.enumerated() {
            var layers: [BiTBottleneck] = []
            for place in 0..<configuration.depths[index] {
                let own = weights["encoder"]["stages"][index]["layers"][place]
                layers.append(
                    BiTBottleneck(
                        configuration, inputs: inputs, outputs: outputs,
                        stride: place == 0 && index > 0 ? 2 : 1,
                        isFirst: place == 0, own))
                inputs = outputs
            }
            stages.append(layers)
        }
        self.stages = stages
    }

    /// The features of each stage, each half as high and wide as those before it.
    /// - Parameter pictures: `[batch, numChannels, height, width]`
    func callAsFunction(_ pictures: Tensor) -> [Tensor] {
        var x = configuration.hiddenAct(firstNorm(first(pictures)))
        if configuration.embeddingDynamicPadding { x = x.paddedAlike(kernel: 3, stride: 2) }
        x = x.maxPooled(3, stride: 2)
        return stages.map { stage in
            for layer in stage { x = layer(x) }
            return x
        }
    }
}

/// A convolution to fewer channels, one of kernel 3, and one back, beside a shortcut.
struct BiTBottleneck {
    let convolutions: [StandardizedConvolution]
    let norms: [GroupNorm]
    let shortcut: (convolution: StandardizedConvolution, norm: GroupNorm)?
    let activation: Activation

    init(
        _ configuration: BiTConfiguration, inputs: Int, outputs: Int, stride: Int, isFirst: Bool,
        _ weights: Weights
    ) {
        let inner = BiTConfiguration.innerWidth(outputs)
        func norm(_ channels: Int, _ weights: Weights) -> GroupNorm {
            GroupNorm(groups: configuration.numGroups, channels: channels, weights)
        }
        convolutions = [
            StandardizedConvolution(inputs: inputs, outputs: inner, kernel: 1, weights["conv1"]),
            StandardizedConvolution(
                inputs: inner, outputs: inner, kernel: 3, stride: stride, weights["conv2"]),
            StandardizedConvolution(inputs: inner, outputs: outputs, kernel: 1, weights["conv3"]),
        ]
        norms = [
            norm(inner, weights["norm1"]), norm(inner, weights["norm2"]), norm(outputs, weights["norm3"]),
        ]
        let side = weights["downsample"]
        shortcut =
            isFirst
            ? (
                StandardizedConvolution(
                    inputs: inputs, outputs: outputs, kernel: 1, stride: stride, side["conv"]),
                norm(outputs, side["norm"])
            ) : nil
        activation = configuration.hiddenAct
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let beside = shortcut.map { $0.norm($0.convolution(x)) } ?? x
        let reduced = activation(norms[0](convolutions[0](x)))
        let mixed = activation(norms[1](convolutions[1](reduced)))
        return activation(norms[2](convolutions[2](mixed)) + beside)
    }
}

/// A convolution whose kernels have mean 0 and variance 1 when they are used, padded so that each stride gives a pixel.
/// Parameter `weight` `[outputs, inputs, kernel, kernel]`.
/// Source: Qiao et al. 2019 (arXiv:1903.10520), equation 2.
struct StandardizedConvolution {
    let weight: Tensor
    let stride: Int

    init(inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, _ weights: Weights) {
        weight = weights.parameter(
            "weight", [outputs, inputs, kernel, kernel], .fanIn(inputs * kernel * kernel))
        self.stride = stride
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        x.computedWide { x in
            let rows = x.alike(weight).flattened(from: 1)
            let centred = rows - rows.mean([1], keepingDimensions: true)
            // Where a kernel has one number, it is 0.
            let variance = rows.variance([1], correction: 0, keepingDimensions: true)
            let standard = (centred / (variance + 1e-8).squareRoot()).reshaped(weight.shape)
            return x.paddedAlike(kernel: weight.shape[3], stride: stride)
                .convolved(standard, bias: nil, stride: stride, padding: 0)
        }
    }
}

extension Tensor {
    /// With zeros around, the more of them at the right and bottom, so that there is a window for each stride begun.
    fileprivate func paddedAlike(kernel: Int, stride: Int) -> Tensor {
        func border(_ length: Int) -> [Int] {
            let missing = Swift.max(0, ((length + stride - 1) / stride - 1) * stride + kernel - length)
            return [missing / 2, missing - missing / 2]
        }
        return padded(border(shape[3]) + border(shape[2]))
    }
}

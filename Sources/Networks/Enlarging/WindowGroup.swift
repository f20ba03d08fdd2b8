import Layers
import Tensors

/// Blocks of attention in windows, and a convolution before their residual. Parameters `residual_group.blocks.N.*`,
/// `conv.*`.
/// Source: Liang et al. 2021 (arXiv:2108.10257), section 3.2.
struct WindowGroup: Sendable {
    let blocks: [WindowBlock]
    let convolution: FeatureConvolutions

    init(_ configuration: SwinIRConfiguration, group: Int, _ weights: Weights) {
        blocks = (0..<configuration.depths[group]).map {
            WindowBlock(
                configuration, heads: configuration.numHeads[group],
                weights["residual_group"]["blocks"][$0])
        }
        convolution = FeatureConvolutions(configuration, weights["conv"])
    }

    /// `[batch, height, width, embedDim]`, the shape stays.
    func callAsFunction(_ x: Tensor, _ windows: Windows) -> Tensor {
        let hidden = blocks.enumerated().reduce(x) { x, block in
            block.element(x, windows, isShifted: block.offset % 2 == 1)
        }
        return convolution(hidden.permuted(0, 3, 1, 2)).permuted(0, 2, 3, 1) + x
    }
}

/// One convolution, or three with a quarter of the channels between them.
struct FeatureConvolutions: Sendable {
    private let convolutions: [Convolution2D]

    init(_ configuration: SwinIRConfiguration, _ weights: Weights) {
        let (width, inner) = (configuration.embedDim, configuration.embedDim / 4)
        func convolution(_ inputs: Int, _ outputs: Int, kernel: Int, _ scope: Weights) -> Convolution2D {
            Convolution2D(inputs: inputs, outputs: outputs, kernel: kernel, padding: kernel / 2, scope)
        }
        convolutions =
            configuration.resiConnection == .one
            ? [convolution(width, width, kernel: 3, weights)]
            : [
                convolution(width, inner, kernel: 3, weights[0]),
                convolution(inner, inner, kernel: 1, weights[2]),
                convolution(inner, width, kernel: 3, weights[4]),
            ]
    }

    /// `[batch, embedDim, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor) -> Tensor {
        convolutions.dropFirst().reduce(convolutions[0](x)) { $1($0.leakyReLU(0.2)) }
    }
}

/// Attention in windows, then a network of each pixel. Parameters `norm1.*`, `attn.*`, `norm2.*`, `mlp.fc1.*`,
/// `mlp.fc2.*`.
/// Source: Liu et al. 2021 (arXiv:2103.14030), equation 3.
struct WindowBlock: Sendable {
    let norm1: LayerNorm
    let attention: WindowAttention
    let norm2: LayerNorm
    let widening: Linear
    let narrowing: Linear

    init(_ configuration: SwinIRConfiguration, heads: Int, _ weights: Weights) {
        let width = configuration.embedDim
        norm1 = LayerNorm(width: width, weights["norm1"])
        attention = WindowAttention(configuration, heads: heads, weights["attn"])
        norm2 = LayerNorm(width: width, weights["norm2"])
        widening = Linear(inputs: width, outputs: configuration.mlpHidden, weights["mlp"]["fc1"])
        narrowing = Linear(inputs: configuration.mlpHidden, outputs: width, weights["mlp"]["fc2"])
    }

    /// `[batch, height, width, embedDim]`, the shape stays.
    func callAsFunction(_ x: Tensor, _ windows: Windows, isShifted: Bool) -> Tensor {
        let shift = isShifted ? windows.side / 2 : 0
        func rolled(_ x: Tensor, _ shift: Int) -> Tensor {
            shift == 0 ? x : x.rolled(by: shift, of: 1).rolled(by: shift, of: 2)
        }
        let pieces = windows.split(rolled(norm1(x), -shift))
        let mixed = attention(pieces, mask: isShifted ? windows.mask : nil)
        let attended = x + rolled(windows.joined(mixed), shift)
        return attended + narrowing(widening(norm2(attended)).gelu())
    }
}

/// Attention among the pixels of a window, with a bias for each place of one pixel beside another. Parameters
/// `relative_position_bias_table` `[(2·side − 1)², heads]`, `qkv.*`, `proj.*`.
/// Source: Liu et al. 2021 (arXiv:2103.14030), equation 4.
struct WindowAttention: Sendable {
    let table: Tensor
    let queriesKeysValues: Linear
    let output: Linear
    let heads: Int
    let side: Int

    init(_ configuration: SwinIRConfiguration, heads: Int, _ weights: Weights) {
        let (width, side) = (configuration.embedDim, configuration.windowSize)
        (self.heads, self.side) = (heads, side)
        let places = (2 * side - 1) * (2 * side - 1)
        table = weights.parameter("relative_position_bias_table", [places, heads], .normal(deviation: 0.02))
        queriesKeysValues = Linear(
            inputs: width, outputs: 3 * width, bias: configuration.qkvBias, weights["qkv"])
        output = Linear(inputs: width, outputs: width, weights["proj"])
    }

    /// - Parameters:
    ///   - windows: `[count, side², embedDim]`
    ///   - mask: added to the scores of each window, `[windows of a picture, side², side²]`.
    func callAsFunction(_ windows: Tensor, mask: Tensor?) -> Tensor {
        let (count, pixels, width) = (windows.shape[0], windows.shape[1], windows.shape[2])
        let parts = queriesKeysValues(windows).reshaped([count, pixels, 3, heads, width / heads])
            .permuted(2, 0, 3, 1, 4)
        var bias = self.bias.unsqueezed(0)
        if let mask {
            bias = bias + mask.unsqueezed(1)
            let pictures = count / mask.shape[0]
            if pictures > 1 { bias = bias.repeated([pictures, 1, 1, 1]) }
        }
        let mixed = scaledDotProductAttention(
            query: parts[0], key: parts[1], value: parts[2], mask: bias.to(windows.elementType))
        return output(mixed.transposed(1, 2).reshaped([count, pixels, width]))
    }

    /// The bias of each pair of pixels, `[heads, side², side²]`.
    private var bias: Tensor {
        let places = 0..<side * side
        let indices = places.flatMap { first in
            places.map { second in
                let rows = first / side - second / side + side - 1
                let columns = first % side - second % side + side - 1
                return Int64(rows * (2 * side - 1) + columns)
            }
        }
        return table.embedding(Tensor(indices).to(table.device))
            .reshaped([side * side, side * side, heads]).permuted(2, 0, 1)
    }
}

/// The windows of a picture whose sides are multiples of theirs.
struct Windows: Sendable {
    let height: Int
    let width: Int
    let side: Int
    /// What is added to scores where windows lie half a window aside: pixels that only the rolled picture brings
    /// together do not see each other. `[windows, side², side²]`
    let mask: Tensor

    init(height: Int, width: Int, side: Int, elementType: ElementType, device: Device) {
        (self.height, self.width, self.side) = (height, width, side)
        // In the rolled picture: what was not rolled over the border, what belongs to a window cut by it, and the rest.
        func region(_ place: Int, of length: Int) -> Int {
            place < length - side ? 0 : place < length - side / 2 ? 1 : 2
        }
        let regions = (0..<height).flatMap { row in
            (0..<width).map { Float(3 * region(row, of: height) + region($0, of: width)) }
        }
        let split = Self.split(Tensor(regions, shape: [1, height, width, 1]), side).squeezed(-1)
        let isApart = (split.unsqueezed(1) - split.unsqueezed(2)).magnitude().clamped(upTo: 1)
        mask = (isApart * -100).to(elementType).to(device)
    }

    /// `[batch, height, width, channels]` → `[batch · windows, side², channels]`
    func split(_ x: Tensor) -> Tensor { Self.split(x, side) }

    private static func split(_ x: Tensor, _ side: Int) -> Tensor {
        let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3])
        return x.reshaped([x.shape[0], height / side, side, width / side, side, channels])
            .permuted(0, 1, 3, 2, 4, 5).reshaped([-1, side * side, channels])
    }

    /// And back.
    func joined(_ windows: Tensor) -> Tensor {
        let channels = windows.shape[2]
        return windows.reshaped([-1, height / side, width / side, side, side, channels])
            .permuted(0, 1, 3, 2, 4, 5).reshaped([-1, height, width, channels])
    }
}

import Checkpoints
import Layers
import Tensors

/// The network of a learned perceptual distance of pictures (LPIPS): the convolutions of VGG-16 or AlexNet, and the
/// weights of their channels that were fitted to what people see. Parameters `net.sliceN.M.weight`, `net.sliceN.M.bias`
/// and `linN.model.1.weight`, as the package `lpips` has them.
/// Source: Zhang et al. 2018 (arXiv:1801.03924), section 3 and figure 3.
public struct PerceptualNetwork: Sendable {
    /// The network whose features are compared.
    public let backbone: PerceptualBackbone
    private let slices: [[Layer]]
    private let channelWeights: [Tensor]

    /// A network, its parameters from a scope.
    public init(_ backbone: PerceptualBackbone, _ weights: Weights) {
        self.backbone = backbone
        slices = backbone.slices.enumerated().map { index, layers in
            layers.map { Layer($0, weights["net"]["slice\(index + 1)"]) }
        }
        channelWeights = backbone.slices.enumerated().map { index, layers in
            let count = layers.last?.channels.outputs ?? 0
            return weights["lin\(index)"]["model"][1].parameter("weight", [1, count, 1, 1], .ones)
        }
    }

    /// The network of a safetensors file; its shapes show which backbone it has.
    /// - Throws: `CheckpointError` where the file cannot be read or is none of a perceptual distance; `LoadError` where
    ///   tensors are missing or do not fit.
    public init(path: String, on device: Device = .cpu) throws {
        let file = try SafetensorsFile(path: path)
        let first = file.shape(of: "net.slice1.0.weight")
        guard let backbone = PerceptualBackbone.all.first(where: { $0.firstShape == first }) else {
            let known = PerceptualBackbone.all.map { "\($0.firstShape) of \($0.name)" }
            throw CheckpointError(
                path,
                "holds no LPIPS network: it needs 'net.slice1.0.weight' of shape \(known.joined(separator: " or "))"
            )
        }
        // The package keeps the weights of channels in a list, too, and the numbers of `scaled`.
        let source = try RenamedSource(file, ["*": "*"]) {
            $0.hasPrefix("lins.") || $0.hasPrefix("scaling_layer.")
        }
        let store = ParameterStore(.loaded(source), on: device, prepares: false)
        self = try store.build { PerceptualNetwork(backbone, $0) }
    }

    /// The distance of pictures in −1 … 1, of one channel or three, in this network's features.
    public var distance: FeatureDistance { FeatureDistance(weights: channelWeights) { features(of: $0) } }

    /// The features that are compared, `[batch, channels, height, width]` each.
    /// - Parameter pictures: `[batch, 1 or 3, height, width]` in −1 … 1.
    public func features(of pictures: Tensor) -> [Tensor] {
        var hidden = scaled(pictures)
        return slices.map { layers in
            hidden = layers.reduce(hidden) { $1($0) }
            return hidden
        }
    }

    /// In the scale of the pictures that the backbones learned from; grey becomes a colour.
    private func scaled(_ pictures: Tensor) -> Tensor {
        (pictures - [-0.030, -0.088, -0.188].channels(of: pictures))
            / [0.458, 0.448, 0.450].channels(of: pictures)
    }
}

/// A layer of a backbone with its weights.
private struct Layer {
    let shape: PerceptualBackbone.Layer
    let convolution: Convolution2D?

    init(_ shape: PerceptualBackbone.Layer, _ weights: Weights) {
        self.shape = shape
        convolution = shape.number.map { number in
            Convolution2D(
                inputs: shape.channels.inputs, outputs: shape.channels.outputs, kernel: shape.kernel,
                stride: shape.stride, padding: shape.padding, weights[number])
        }
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        convolution.map { $0(x).relu() } ?? x.maxPooled(shape.kernel, stride: shape.stride)
    }
}

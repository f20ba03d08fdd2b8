import Layers
import Tensors

/// A multilayer perceptron that denoises points: residual layers of one width, each of which reads the time.
///
/// With h₀ = W_in·x + b_in and the embedded time c = SiLU(MLP(sinusoids(t)) + class), layer i is
/// h_{i+1} = h_i + SiLU(A_i·h_i + a_i + C_i·c + c_i), and the output is W_out·h + b_out. Parameters `input.*`,
/// `time_embedding.linear_1.*`, `time_embedding.linear_2.*`, `class_embedding.weight`, `layers.N.linear.*`,
/// `layers.N.time_emb_proj.*`, `output.*`.
/// Source: residual layers, He et al. 2016 (arXiv:1512.03385); the embedded time, Ho et al. 2020 (arXiv:2006.11239),
/// appendix B.
public struct MLP: Sendable {
    /// A linear layer that reads the time, beside a short cut.
    struct Layer {
        let linear: Linear
        let timeProjection: Linear

        init(width: Int, _ weights: Weights) {
            linear = Linear(inputs: width, outputs: width, weights["linear"])
            timeProjection = Linear(inputs: width, outputs: width, weights["time_emb_proj"])
        }

        /// `[batch, width]`, the shape stays.
        func callAsFunction(_ x: Tensor, time: Tensor) -> Tensor {
            x + (linear(x) + timeProjection(time)).silu()
        }
    }

    /// What the network was built from.
    public let configuration: MLPConfiguration

    let input: Linear
    let timeEmbedding: TimestepEmbedding
    let classes: ClassTable
    let layers: [Layer]
    let output: Linear

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: MLPConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let width = configuration.width
        input = Linear(inputs: configuration.dimension, outputs: width, weights["input"])
        timeEmbedding = TimestepEmbedding(inputs: width, outputs: width, weights["time_embedding"])
        classes = ClassTable(
            count: configuration.numClassEmbeds, width: width, weights["class_embedding"])
        layers = (0..<configuration.layers).map { Layer(width: width, weights["layers"][$0]) }
        output = Linear(
            inputs: width, outputs: configuration.outputDimension ?? configuration.dimension,
            weights["output"])
    }

    /// The network's output for a batch.
    ///
    /// - Parameters:
    ///   - x: `[batch, dimension]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - labels: `[batch]` as `int64`, where the configuration has classes, and only there.
    /// - Returns: `[batch, outputDimension]`; a learned variance follows the first half.
    public func callAsFunction(_ x: Tensor, time: Tensor, labels: Tensor?) -> Tensor {
        let waves = sinusoidalEmbedding(time, width: configuration.width).to(x.elementType)
        let condition = classes.adding(labels, to: timeEmbedding(waves)).silu()
        var hidden = input(x)
        for layer in layers {
            hidden = recomputable([hidden, condition], dropout: nil) { layer($0[0], time: $0[1]) }
        }
        return output(hidden)
    }
}

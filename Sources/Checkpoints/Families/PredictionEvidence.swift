import Layers
import Tensors

/// What the weights of Stable Diffusion 2 say about its prediction, which no shape shows: noise (version 2-base, 512
/// pixels) or v (versions 2 and 2.1, 768 pixels).
public enum PredictionEvidence: Sendable, Equatable {
    /// ComfyUI's rule: v where the standard deviation of one layer's shifts is above 0.09.
    case spread(Double)
    /// The file lacks that layer.
    case unknown

    private static let layer = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
    private static let threshold = 0.09

    /// Looks at the tensors of a file; `nil` for families whose prediction is known.
    init?(_ source: any TensorSource, of family: CheckpointFamily) {
        guard family.hasOpenPrediction else { return nil }
        guard source.shape(of: Self.layer) != nil,
            let values = try? source.tensor(named: Self.layer).to(.float64).array(of: Double.self),
            !values.isEmpty
        else {
            self = .unknown
            return
        }
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        self = .spread((values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot())
    }

    /// What the network predicts, as diffusers calls it; `nil` where the caller must give it.
    public var prediction: String? {
        guard case .spread(let spread) = self, spread.isFinite else { return nil }
        return spread > Self.threshold ? "v_prediction" : "epsilon"
    }

    /// What was concluded and how sure that is, in a sentence.
    var remark: String {
        guard case .spread(let spread) = self, let prediction else {
            return
                "whether it predicts noise (version 2-base, 512 pixels) or v (versions 2 and 2.1, 768 pixels) "
                + "cannot be seen from its weights"
        }
        let isVelocity = prediction == "v_prediction"
        let rounded = (spread * 10_000).rounded() / 10_000
        return
            "it is taken to predict \(isVelocity ? "v" : "noise"), which is a rule of thumb and no certainty: the shifts "
            + "of one layer spread by \(rounded), \(isVelocity ? "above" : "not above") \(Self.threshold)"
    }
}

import Tensors

/// Some examples of a data set, ready for a network: tensors by name.
public struct Batch: Sendable {
    /// The tensors, `[batch, …]` each: `data`, `labels` where examples have classes, and what a kind of data has
    /// beside them, such as the `noise` of pairs.
    public var tensors: [String: Tensor]
    /// The captions of each example: every one that it has, or in a batch that an order drew the one that was drawn;
    /// nil where the data have none.
    public var captions: [[String]]?
    /// How often each caption is drawn, in proportion to the others of its example; nil where all are drawn alike.
    public var captionWeights: [[Double]]?
    /// What else the data state about each example, by the names of latent diffusion's batches: `relpath` (its path below
    /// the folder), `file_path_`, `human_label` (the name of its class) and `synsets` (the folder that is its class).
    /// Those batches call `data` `image`, and `labels` `class_label`.
    /// Source: Rombach et al. 2022 (arXiv:2112.10752), the published code's data sets.
    public var texts: [String: [String]] = [:]

    /// A batch of examples.
    /// - Parameters:
    ///   - data: pictures `[batch, channels, height, width]` in [−1, 1], or points `[batch, dimension]`.
    ///   - labels: `[batch]` int64, the class of each.
    ///   - others: further tensors by name.
    public init(
        data: Tensor, labels: Tensor?, captions: [[String]]? = nil, others: [String: Tensor] = [:]
    ) {
        tensors = others
        self.captions = captions
        self.data = data
        self.labels = labels
    }

    /// `[batch, …]` float32: pictures in [−1, 1], or points.
    public var data: Tensor {
        get { tensors["data"]! }
        set { tensors["data"] = newValue }
    }

    /// `[batch]` int64, the class of each example; nil where the data set has none.
    public var labels: Tensor? {
        get { tensors["labels"] }
        set { tensors["labels"] = newValue }
    }
}

extension Batch {
    /// Exchanges left and right of some of the pictures.
    mutating func mirror(where isMirrored: [Bool]) throws {
        var values = try data.array(of: Float.self)
        let width = data.shape[3]
        let rows = data.shape[1] * data.shape[2]
        for picture in isMirrored.indices where isMirrored[picture] {
            for row in (picture * rows)..<((picture + 1) * rows) {
                values[(row * width)..<((row + 1) * width)].reverse()
            }
        }
        data = Tensor(values, shape: data.shape)
    }

    /// Leaves one caption of each example.
    /// - Parameter draws: a number for each, evenly distributed over all numbers.
    mutating func drawCaptions(_ draws: [UInt64]) {
        captions = captions.map { all in
            all.indices.map { index in
                let own = all[index]
                let place = ExampleCaptions.place(
                    draws[index], of: own.count, weights: captionWeights?[index])
                return place.map { [own[$0]] } ?? []
            }
        }
        captionWeights = nil
    }
}

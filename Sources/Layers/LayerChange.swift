import Tensors

/// What is added to the result of a layer, computed beside its weights, which stay as they are.
public struct LayerChange: Sendable {
    /// What reads the layer's input, `[rank, inputs, …]`, or `[outputs, inputs, …]` where nothing follows: a kernel of extent 1 as
    /// a matrix.
    private let first: Linear
    private let kernel: Tensor?
    /// What follows, `[outputs, rank]`.
    private let second: Linear?
    private let bias: Tensor?

    /// A change B·A·x, or Δ·x.
    /// - Parameters:
    ///   - layer: the path of the layer.
    ///   - first: A `[rank, inputs, …kernel]`, or Δ `[outputs, inputs, …kernel]`.
    ///   - second: B `[outputs, rank]`.
    ///   - bias: `[outputs]`
    ///   - prepares: whether they are packed for the processor's kernels.
    public init(of layer: String, _ first: Tensor, then second: Tensor?, bias: Tensor?, prepares: Bool) {
        let name = layer + " (adapter)"
        let rows = first.reshaped([first.shape[0], -1])
        self.first = Linear(name, rows, prepares: prepares)
        kernel = first.rank == 4 && first.shape[2] * first.shape[3] > 1 ? first : nil
        self.second = second.map { Linear(name, $0, prepares: prepares) }
        self.bias = bias
    }

    /// The result of a linear layer with the change.
    /// - Parameters:
    ///   - y: what the layer made of x.
    ///   - gate: what the change is multiplied with, as the layer's own result was.
    func added(to y: Tensor, reading x: Tensor, gatedBy gate: Tensor? = nil) -> Tensor {
        let (inner, last) = second.map { (first(x), $0) } ?? (x, first)
        return biased(last(inner, then: .nothing, adding: y, gatedBy: gate), gate)
    }

    private func biased(_ y: Tensor, _ gate: Tensor?) -> Tensor {
        bias.map { bias in y + (gate.map { $0 * bias } ?? bias) } ?? y
    }

    /// The result of a convolution `[batch, outputs, height, width]` with the change.
    func added(to y: Tensor, reading x: Tensor, stride: Int, padding: Int, groups: Int) -> Tensor {
        func rows(_ x: Tensor) -> Tensor { x.permuted(0, 2, 3, 1) }
        guard let kernel else {
            let input = stride == 1 ? x : x.strided(by: stride, of: 2).strided(by: stride, of: 3)
            return added(to: rows(y), reading: rows(input)).permuted(0, 3, 1, 2)
        }
        let inner = x.computedWide { x in
            x.convolved(x.alike(kernel), bias: nil, stride: stride, padding: padding, groups: groups)
        }
        let change = second.map { $0(rows(inner)).permuted(0, 3, 1, 2) } ?? inner
        return y + (bias.map { change + $0.reshaped([-1, 1, 1]) } ?? change)
    }
}

/// The changes of the layers of a network, by their paths. They act on all layers that run within a body.
public final class LayerChanges: Sendable {
    private let changes: [String: LayerChange]
    @TaskLocal private static var current: LayerChanges?

    /// Changes of some layers.
    public init(_ changes: [String: LayerChange]) { self.changes = changes }

    /// Runs a body whose layers are changed.
    public func applied<Result>(in body: () throws -> Result) rethrows -> Result {
        try Self.$current.withValue(self, operation: body)
    }

    /// The change of a layer, where there is one.
    static func change(of layer: String) -> LayerChange? { current?.changes[layer] }
}

import Layers
import Tensors

/// The exponential moving average of a network's parameters, which samples better than they do.
///
/// ema ← ema + (1 − d_n)·(parameter − ema), d_n = min(decay, (1 + n)/(10 + n)) at update n: early on,
/// when the average holds little but the random start, it forgets faster.
/// Source: Ho et al. 2020 (arXiv:2006.11239), appendix B; the ramp is TensorFlow's, which that code used.
public final class MovingAverage {
    /// The largest decay.
    public let decay: Double
    /// The number of updates so far.
    public private(set) var updateCount = 0
    private let names: [String]
    private let parameters: [Tensor]
    private let averages: [Tensor]

    /// An average that starts at the parameters of a store.
    public init(_ store: ParameterStore, decay: Double) {
        self.decay = decay
        names = store.names
        parameters = store.parameters
        averages = parameters.map { $0.copied() }
    }

    /// Moves the average towards the parameters, also after a step that was skipped, which is known on the
    /// device alone at that time.
    public func update() throws {
        let ramp = Double(1 + updateCount) / Double(10 + updateCount)
        updateCount += 1
        try ManyTensors.interpolate(averages, to: parameters, weight: 1 - min(decay, ramp))
    }

    /// The averages under the parameters' names.
    public var source: TensorDictionary {
        TensorDictionary(Dictionary(uniqueKeysWithValues: zip(names, averages)))
    }

    /// Goes on from saved averages.
    public func restore(_ source: any TensorSource, updateCount: Int) throws {
        self.updateCount = updateCount
        for (name, average) in zip(names, averages) { try average.assign(source.tensor(named: name)) }
    }
}

import Tensors

/// A batch of data with whatever else an objective reads of it: tensors by name, their first dimension the batch.
public struct Example: Sendable {
    /// x₀ `[batch, …]`
    public var data: Tensor
    private var others: [String: Tensor]

    /// A batch.
    /// - Parameters:
    ///   - data: x₀ `[batch, …]`
    ///   - noise: the noise that belongs to each datum, shaped as the data, as the pairs of a rectified flow have it;
    ///     `nil` where it is to be drawn.
    ///   - labels: the class of each datum, `[batch]` whole numbers, for couplings within classes.
    public init(data: Tensor, noise: Tensor? = nil, labels: Tensor? = nil) {
        self.data = data
        others = [:]
        self.noise = noise
        self.labels = labels
    }

    /// A tensor by its name; `data` is never `nil`.
    public subscript(name: String) -> Tensor? {
        get { name == "data" ? data : others[name] }
        set {
            precondition(name != "data" || newValue != nil, "an example without data")
            if name == "data" { data = newValue! } else { others[name] = newValue }
        }
    }

    /// The noise that belongs to each datum, `nil` where it is to be drawn.
    public var noise: Tensor? {
        get { self["noise"] }
        set { self["noise"] = newValue }
    }

    /// The class of each datum, `[batch]`.
    public var labels: Tensor? {
        get { self["labels"] }
        set { self["labels"] = newValue }
    }

    /// The number of data.
    public var count: Int { data.shape[0] }

    /// The noise that belongs to each datum, drawn where there is none.
    func noise(orDrawnBy generator: RandomGenerator) -> Tensor { noise ?? normal(generator) }

    /// Standard normal numbers, shaped as the data and on their device, from a generator on the processor.
    func normal(_ generator: RandomGenerator) -> Tensor {
        generator.normal(data.shape, data.elementType).sent(to: data.device)
    }
}

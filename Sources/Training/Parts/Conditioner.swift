import Datasets
import Networks
import Tensors

/// Makes of a batch what the network is given beside the noisy examples.
public protocol Conditioner {
    /// The conditions of a batch.
    /// - Parameters:
    ///   - generator: decides whose condition is hidden, so that the network also learns without; `nil` hides none.
    ///   - device: where the conditions are to be.
    func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) throws
        -> Conditions

    /// The class of each example, where couplings of data and noise are to stay within classes; `nil` where not.
    func classes(of batch: Batch) -> Tensor?
}

extension Conditioner {
    /// None: without conditioning, data and noise are paired over the whole batch.
    public func classes(of batch: Batch) -> Tensor? { nil }
}

/// No conditions.
public struct Unconditioned: Conditioner {
    /// The conditioner.
    public init() {}
    /// None.
    public func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device)
        -> Conditions
    {
        Conditions()
    }
}

/// The class of each example, some of them hidden behind the class that stands for none.
/// Source: Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1.
public struct ClassConditioner: Conditioner {
    /// The class that stands for none.
    public let nullClass: Int
    /// Part of the examples whose class is hidden.
    public let dropout: Double

    /// A conditioner.
    public init(nullClass: Int, dropout: Double) {
        (self.nullClass, self.dropout) = (nullClass, dropout)
    }

    /// The labels: what the network is given stays with its noise.
    public func classes(of batch: Batch) -> Tensor? { batch.labels }

    /// The labels. Draws one number an example.
    /// - Throws: `RecipeError` where the batch has no labels.
    public func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) throws
        -> Conditions
    {
        guard let labels = batch.labels else {
            throw RecipeError("model.conditioning is class: the data have no classes; write none.")
        }
        guard let generator else { return Conditions(labels: labels.sent(to: device)) }
        let hidden = generator.coin(labels.shape, probability: dropout)
        return Conditions(labels: labels.filled(with: Double(nullClass), where: hidden).sent(to: device))
    }
}

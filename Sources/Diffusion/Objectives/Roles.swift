import Tensors

/// The networks that take part in an objective, each with its conditions bound.
public struct Roles {
    /// A sample `[batch, …]` and the time of each example `[batch]` to the network's output.
    public typealias Network = (_ x: Tensor, _ time: Tensor) -> Tensor

    /// The network that learns.
    public let student: Network

    /// The roles of an objective with one network.
    public init(student: @escaping Network) {
        self.student = student
    }
}

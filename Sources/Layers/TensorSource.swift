import Storage
import Tensors

/// Named tensors that someone offers: a checkpoint file, its shards, or either under other names.
public protocol TensorSource: Sendable {
    /// Every name on offer.
    var names: [String] { get }
    /// The files that the tensors are read from; none where they are in memory.
    var files: [String] { get }
    /// The shape of a tensor, `nil` where the name is not on offer.
    func shape(of name: String) -> Shape?
    /// The element type of a tensor, `nil` where the name is not on offer or the type cannot be held.
    func elementType(of name: String) -> ElementType?
    /// The tensor of a name, sharing the file's memory where possible.
    /// - Throws: an error of the source's room that names the file and the tensor.
    func tensor(named name: String) throws -> Tensor
}

/// Tensors in memory as a source.
public struct TensorDictionary: TensorSource {
    /// The tensors by name.
    public var tensors: [String: Tensor]

    /// A source of the given tensors.
    public init(_ tensors: [String: Tensor]) {
        self.tensors = tensors
    }

    /// Every name, in order.
    public var names: [String] { tensors.keys.sorted() }
    /// None.
    public var files: [String] { [] }
    /// The shape of a tensor.
    public func shape(of name: String) -> Shape? { tensors[name]?.shape }
    /// The element type of a tensor.
    public func elementType(of name: String) -> ElementType? { tensors[name]?.elementType }

    /// The tensor of a name.
    /// - Throws: `LoadError` where there is none.
    public func tensor(named name: String) throws -> Tensor {
        guard let tensor = tensors[name] else { throw LoadError("there is no tensor \(quoted(name))") }
        return tensor
    }
}

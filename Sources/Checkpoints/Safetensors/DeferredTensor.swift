import Layers
import Storage
import Tensors

/// A tensor that is made when its values are needed, so that a model can be written that no memory holds whole.
package struct DeferredTensor {
    /// What it is called.
    package let name: String
    /// Its extents.
    package let shape: Shape
    /// What its elements are.
    package let elementType: ElementType
    private let make: () throws -> Tensor

    /// The number of bytes of its values.
    package var byteCount: Int { shape.elementCount * elementType.byteCount }

    private init(_ name: String, _ shape: Shape, _ type: ElementType, _ make: @escaping () throws -> Tensor) {
        (self.name, self.shape, elementType, self.make) = (name, shape, type, make)
    }

    /// A tensor that is there already.
    /// - Throws: the error that it carries.
    package init(_ name: String, _ tensor: Tensor) throws {
        try tensor.rethrow()
        self.init(name, tensor.shape, tensor.elementType) { tensor }
    }

    /// A tensor of a source.
    /// - Parameter type: what its elements become where they are floating-point numbers; as they are where `nil`.
    /// - Throws: the source's error where it has no such tensor or no tensor can hold its type.
    package init(_ name: String, in source: any TensorSource, as type: ElementType?) throws {
        guard let shape = source.shape(of: name), let found = source.elementType(of: name) else {
            // The source knows best why.
            try self.init(name, source.tensor(named: name))
            return
        }
        let wanted = found.isFloatingPoint ? type ?? found : found
        self.init(name, shape, wanted) { try source.tensor(named: name).to(wanted) }
    }

    /// The same tensor under another name.
    package func named(_ name: String) -> DeferredTensor { .init(name, shape, elementType, make) }

    /// The tensor.
    /// - Throws: the source's error; `CheckpointError` where its file was changed meanwhile.
    func made() throws -> Tensor {
        let tensor = try make()
        try tensor.rethrow()
        guard tensor.shape == shape, tensor.elementType == elementType else {
            throw CheckpointError(
                "", "the tensor \(quoted(name)) is no longer what it was; was its file changed?")
        }
        return tensor
    }
}

// What training needs of memory: asynchronous copies, and tensors in the memory format of others.

private let pinMemory = Operator("aten::pin_memory")
private let copyToDevice = Operator("aten::to.device")
private let zerosLike = Operator("aten::zeros_like")

extension Tensor {
    /// The same values on another device. A graphics card fetches them by itself, after its earlier
    /// work, and the processor does not wait for it as `to` does.
    public func sent(to device: Device) -> Tensor {
        guard self.device == .cpu, device.kind == .cuda else { return to(device) }
        // A card reads memory that stays in place; from other memory the copy would wait.
        return copyToDevice(
            .tensor(pinMemory(.tensor(self))), .device(device), .elementType(elementType), .bool(true))
    }

    /// Zeros of this shape and type on this device, in this order in memory.
    package func zerosAlike() -> Tensor { zerosLike(.tensor(self)) }
}

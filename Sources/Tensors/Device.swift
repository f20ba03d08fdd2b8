import CTorch

/// Where a tensor lives and its arithmetic runs.
public struct Device: Hashable, Sendable, CustomStringConvertible {
    /// The kinds of device; raw values are libtorch's own (`c10::DeviceType`).
    public enum Kind: Int32, Sendable {
        case cpu = 0
        case cuda = 1
        case mps = 13
        /// Shapes without memory: for counting parameters of networks of any size.
        case meta = 14
    }

    /// The kind of device.
    public var kind: Kind
    /// Which device of its kind, from 0.
    public var index: Int

    /// A device of a kind.
    public init(_ kind: Kind, index: Int = 0) {
        self.kind = kind
        self.index = index
    }

    /// The processor.
    public static let cpu = Device(.cpu)
    /// The first NVIDIA graphics card.
    public static let cuda = Device(.cuda)
    /// Apple's graphics processor.
    public static let mps = Device(.mps)
    /// Shapes without memory.
    public static let meta = Device(.meta)

    /// A device that can be used here, from what a user typed: `cpu`, `cuda`, `cuda:1`, `mps`.
    ///
    /// CUDA's library is loaded on the first question, so the same program runs where there is none.
    /// - Throws: `TensorError` when there is no such device here, saying why.
    public init(available name: String) throws {
        let parts = name.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let index = parts.count == 2 ? Int(parts[1]) : 0
        switch (parts[0], index) {
        case ("cpu", _) where parts.count == 1: self = .cpu
        case ("cuda", .some(0...)) where parts.count <= 2: self.init(.cuda, index: index!)
        case ("mps", _) where parts.count == 1: self = .mps
        default: throw TensorError(.unavailable, "there is no device '\(name)': use cpu, cuda, cuda:N or mps")
        }
        var count: Int32 = 0
        do {
            try check(ct_device_count(kind.rawValue, &count))
        } catch let error as TensorError {
            let reason = error.message.prefix { $0 != "\n" }
            throw TensorError(
                .unavailable,
                "the device '\(name)' cannot be used on this machine: use cpu, or another of cuda, cuda:N and mps (libtorch says: \(reason))"
            )
        }
        guard (0..<Int(count)).contains(self.index) else {
            throw TensorError(
                .unavailable, "there is no device '\(name)': this machine has \(count) of that kind")
        }
    }

    /// Waits until everything that was started on this device is done.
    public func synchronize() throws {
        try check(ct_synchronize(kind.rawValue))
    }

    /// `cpu`, `cuda:0`
    public var description: String { kind == .cuda ? "cuda:\(index)" : "\(kind)" }
}

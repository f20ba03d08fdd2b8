import Foundation
import Networks
import Tensors

/// What must be in memory at one time, at the least.
///
/// An estimate that errs on one side: it counts tensors that certainly live together, and nothing else, so that
/// nothing is refused that would have fitted.
package struct MemoryNeed {
    /// What needs it, to go before "needs".
    package var subject: String
    /// The number of bytes.
    package var bytes: Double
    /// What to do, to follow a colon.
    package var remedy: String

    /// A need.
    package init(_ subject: String, bytes: Double, remedy: String) {
        (self.subject, self.bytes, self.remedy) = (subject, bytes, remedy)
    }

    /// Throws where a machine does not have it.
    /// - Parameter available: the memory there is, in bytes; `nil` where the system does not say.
    package func check(on device: Device, available: Double? = Self.available) throws {
        // The memory of other devices is their own allocator's matter.
        guard device.kind == .cpu, let available, bytes > available else { return }
        throw PipelineError(
            "\(subject) needs \(MemorySize(bytes)) of memory at least, and this machine has \(MemorySize(available)) to give: \(remedy)"
        )
    }

    /// The most that the system can give to this process: what is free or can be freed, swap, and no more than
    /// its control group may have.
    package static var available: Double? {
        guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8) else { return nil }
        func bytes(_ name: Substring) -> Double? {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
            return line?.split(separator: " ").dropFirst().first.flatMap { Double($0) }.map { $0 * 1024 }
        }
        guard let free = bytes("MemAvailable:") else { return nil }
        let limit = try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8)
        let most = limit.flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) } ?? .infinity
        return min(free + (bytes("SwapFree:") ?? 0), most)
    }
}

extension ElementType {
    /// The bytes of so many values.
    func byteCount(_ values: Double) -> Double { values * Double(byteCount) }
}

extension MemoryNeed {
    /// What the samples need that pass through a network together, and all of them at the end.
    /// - Parameters:
    ///   - batch: how many pass together, both branches of guidance counted.
    ///   - sample: the shape of one.
    static func sampling(
        _ network: NetworkConfiguration, batch: Int, count: Int, sample: Shape, computing type: ElementType
    ) -> [MemoryNeed] {
        let values = sample.extents.reduce(1) { $0 * Double($1) }
        let state: ElementType = type == .float64 ? .float64 : .float32
        let all = state.byteCount(values) * Double(count)
        let activations = network.activationCount(sample)
        let size = sample.count == 3 ? "\(sample[2])×\(sample[1])" : "\(sample[0]) numbers"
        return [
            MemoryNeed(
                "a batch of \(batch) samples of \(size) in a \(network.className)",
                bytes: type.byteCount(activations) * Double(batch) + all,
                remedy: "ask for smaller pictures, or fewer at once"),
            MemoryNeed(
                "keeping \(count) samples of \(size)", bytes: all,
                remedy: "ask for fewer or smaller ones, in several calls with seeds of their own"),
        ]
    }
}

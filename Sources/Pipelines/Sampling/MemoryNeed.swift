import Foundation
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
    /// - Parameter available: the memory there is, in bytes; `nil` where the system does not tell.
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

extension SamplingPlan {
    /// What the samples need that pass through a network together, and all of them at the end.
    /// - Parameters:
    ///   - batch: how many pass together, both branches of guidance counted.
    ///   - sample: the shape of one.
    static func memoryNeed(
        of network: NetworkConfiguration, batch: Int, count: Int, sample: Shape, computing type: ElementType
    ) -> [MemoryNeed] {
        let values = sample.extents.reduce(1) { $0 * Double($1) }
        let state: ElementType = type == .float64 ? .float64 : .float32
        let all = state.byteCount(values) * Double(count)
        let activations = network.activationCount(height: sample[1], width: sample[2])
        let size = "\(sample[2])×\(sample[1])"
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

extension NetworkConfiguration {
    /// The number of values, at the least, that live together while one picture passes: those that the way up
    /// of a U-Net takes from its way down, at the end of the way down or where the last level begins on the way up, or
    /// what one block of a transformer reads and writes.
    package func activationCount(height: Int, width: Int) -> Double {
        func levels(_ channels: [Int], layers: (Int) -> Int) -> Double {
            var total = 0.0
            for (level, channels) in channels.enumerated() {
                let pixels = Double(height >> level) * Double(width >> level)
                total += Double(channels) * pixels * Double(layers(level))
            }
            // In the first layer of the last level on the way up: what its other layers will take, what comes from
            // below and from the way down, the two joined, and what the layer's convolutions and its short cut give.
            let (first, below) = (channels[0], channels[min(1, channels.count - 1)])
            let joining = layers(0) * first + 2 * (first + below) + 3 * first
            // Kernels work on copies in layouts of their own: measured, a U-Net takes 2.2 to 3 times as much.
            return 2 * max(total, Double(joining) * Double(height) * Double(width))
        }
        func tokens(_ patch: Int, _ features: Int) -> Double {
            Double(height / patch) * Double(width / patch) * Double(features) * 2
        }
        return switch self {
        case .unet2D(let unet): levels(unet.blockOutChannels) { _ in unet.layersPerBlock }
        case .unet2DCondition(let unet): levels(unet.blockOutChannels) { unet.layersPerBlock[$0] }
        case .annotated(let unet): levels(unet.dimMults.map { $0 * unet.dim }) { _ in 1 }
        case .dit(let transformer): tokens(transformer.patchSize, transformer.width)
        case .mmdit(let transformer): tokens(transformer.patchSize, transformer.width)
        }
    }
}

extension AutoencoderConfiguration {
    /// The least number of values that live together at the end of decoding one picture: what the last block reads
    /// and writes.
    func activationCount(height: Int, width: Int) -> Double {
        func last(_ channels: [Int]) -> Double {
            Double(height) * Double(width) * Double(channels[min(1, channels.count - 1)] + channels[0])
        }
        return switch self {
        case .variational(let configuration): last(configuration.coder.blockOutChannels)
        case .quantised(let configuration): last(configuration.coder.blockOutChannels)
        case .tiny(let configuration): last([configuration.decoderBlockOutChannels[0]])
        }
    }
}

import Foundation
import Layers
import Storage
import Tensors

/// A network on a CUDA device whose calls are recorded once and replayed, so that a step costs one call of
/// the driver in place of thousands.
///
/// A recording is good for inputs of one shape and element type: it is made when such inputs come for the
/// second time in a row, and replayed for as long as they come. Whatever a recording cannot stand for runs
/// plainly: other shapes, training, a watch over layers, reused deep features. Pictures are laid out with channels
/// innermost either way.
///
/// A recording has one set of inputs, so calls from several threads wait for each other.
public final class CapturedNetwork: NoiseNetwork, @unchecked Sendable {
    /// Records what a body does; `replay` does it again and fills the tensor that the body gave.
    package typealias Recorder = (_ body: @escaping () -> Tensor) throws -> (
        result: Tensor, replay: () throws -> Void
    )

    private let network: any NoiseNetwork
    private let record: Recorder
    private let say: (String) -> Void
    private var recording: Recording?
    private var last: Kind?
    private var hasGivenUp = false
    /// Guards everything that changes.
    private let lock = NSLock()

    package init(_ network: any NoiseNetwork, say: @escaping (String) -> Void, record: @escaping Recorder) {
        self.network = network
        self.record = record
        self.say = say
    }

    /// The network's output for a batch.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        lock.lock()
        defer { lock.unlock() }
        let inputs = Inputs(x: x.contiguous(.channelsLast), time: time, conditions: conditions)
        let isPlain =
            hasGivenUp || dropout != nil || conditions[.deepFeatures] != nil || isRecordingGradients
            || LayerWatch.isWatching || inputs.tensors.contains { $0.failure != nil }
        if isPlain { return inputs.passed(through: network, dropout) }
        let kind = Kind(inputs)
        defer { last = kind }
        if kind != recording?.kind, kind == last { renew(for: inputs, kind) }
        guard let recording, recording.kind == kind else { return inputs.passed(through: network, nil) }
        return recording.output(for: inputs)
    }

    /// Records the network for inputs like these. Where that fails it is said once and never tried again.
    private func renew(for inputs: Inputs, _ kind: Kind) {
        recording = nil  // its memory goes first
        do {
            recording = try Recording(of: network, for: inputs, kind, record)
        } catch {
            hasGivenUp = true
            say("note: the network's steps are not recorded (\(error)); they run one operation at a time")
        }
    }

    /// What a recording depends on: which conditions there are, and the form of every tensor.
    private struct Kind: Equatable {
        struct Form: Equatable {
            let shape: Shape
            let type: ElementType
            let device: Device
        }

        let conditions: [String]
        let forms: [Form]

        init(_ inputs: Inputs) {
            conditions = inputs.conditions.names
            forms = inputs.tensors.map { Form(shape: $0.shape, type: $0.elementType, device: $0.device) }
        }
    }

    private final class Recording {
        let kind: Kind
        private let inputs: Inputs
        private let replay: () throws -> Void
        private let result: Tensor

        init(of network: any NoiseNetwork, for given: Inputs, _ kind: Kind, _ record: Recorder) throws {
            let inputs = given.copied()
            (result, replay) = try record { inputs.passed(through: network, nil) }
            (self.kind, self.inputs) = (kind, inputs)
            try result.rethrow()
        }

        /// The network's output, in memory of its own: the next replay overwrites the recording's.
        func output(for given: Inputs) -> Tensor {
            do {
                // Also where the recording was made inside `inference` and is used outside.
                try inference {
                    for (own, new) in zip(inputs.tensors, given.tensors) {
                        try own.assign(new)
                    }
                }
                try replay()
                return result.copied()
            } catch {
                return Tensor(failure: error)
            }
        }
    }
}

/// All that a network is given.
private struct Inputs {
    var x: Tensor
    var time: Tensor
    var conditions: Conditions

    var tensors: [Tensor] { [x, time] + conditions.tensors }

    func copied() -> Inputs {
        Inputs(x: x.copied(), time: time.copied(), conditions: conditions.map { $0.copied() })
    }

    func passed(through network: any NoiseNetwork, _ dropout: RandomGenerator?) -> Tensor {
        network(x, time: time, conditions, dropout: dropout)
    }
}

extension NoiseNetwork {
    /// This network as it is best called on a device: on CUDA recorded and replayed, elsewhere as it is.
    public func replayed(on device: Device) -> any NoiseNetwork {
        guard device.kind == .cuda else { return self }
        let say = { (text: String) -> Void in
            try? Files.write((text + "\n").utf8, to: STDERR_FILENO, "standard error")
        }
        return CapturedNetwork(self, say: say) { body in
            var result = Tensor.zeros([])
            let work = try RecordedWork(on: device) { result = body() }
            return (result, work.replay)
        }
    }
}

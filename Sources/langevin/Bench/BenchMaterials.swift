import Checkpoints
import Layers
import Networks
import Pipelines
import Tensors

/// What a piece of work is done with: how precisely, on which weights and on which inputs.
struct BenchMaterials {
    /// What weights and inputs are.
    let elementType: ElementType
    /// Where the work is done.
    let device: Device
    /// How the matrices of a network that is only used are kept.
    var matrices = MatrixFormat.full
    /// A network in the layout of diffusers, in place of the work's own.
    var weights: ModelFolder?
    /// Tensors in place of drawn ones.
    var inputs: SafetensorsFile?
    /// A folder of pictures.
    var data: String?
    /// How many threads the work has.
    var threads = 2

    private let draw = RandomGenerator(seed: 1)

    /// Materials without a folder or a file.
    init(_ elementType: ElementType, on device: Device) {
        self.elementType = elementType
        self.device = device
    }

    /// The network of the folder, or one of the work's own configuration with random weights.
    ///
    /// Both are built as a checkpoint's network is, so that what is measured is what a user gets.
    func network<Network: ConfiguredNetwork>(
        _ own: Network.Configuration, as type: ElementType? = nil,
        for purpose: ParameterStore.Purpose = .inference
    ) throws -> (network: Network, store: ParameterStore) {
        let type = type ?? elementType
        let configuration = try weights.map { try Network.configuration(of: $0) } ?? own
        let source = try weights.map { try Network.weights(of: $0) } ?? random(Network.self, own, type)
        let store = ParameterStore(
            .loaded(source), purpose: purpose, elementType: type, on: device,
            matrices: purpose == .training ? .full : matrices,
            memoryFormat: purpose == .training ? .channelsLast : .contiguous)
        return (try store.build { try Network(configuration, $0) }, store)
    }

    /// Random weights, constant nowhere, so that no layer can be skipped for being 0 or 1.
    private func random<Network: ConfiguredNetwork>(
        _: Network.Type, _ configuration: Network.Configuration, _ type: ElementType
    ) throws -> TensorDictionary {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 0)), elementType: type)
        _ = try store.build { try Network(configuration, $0) }
        for (name, parameter) in store.named where !store.buffers.contains(name) {
            let first = try parameter.flattened()[0].item(Double.self)
            guard first == 0 || first == 1 else { continue }
            try parameter.assign(parameter + draw.normal(parameter.shape).to(type) * 0.02)
        }
        return store.source
    }

    /// Normal numbers of a shape, or the tensor of this name among the inputs.
    func numbers(_ name: String, _ shape: Shape) throws -> Tensor {
        try given(name, like: draw.normal(shape)).to(elementType)
    }

    /// These whole numbers, or the tensor of this name among the inputs.
    func integers(_ name: String, _ values: [Int64]) throws -> Tensor {
        try given(name, like: Tensor(values))
    }

    /// Whole numbers of a range, or the tensor of this name among the inputs.
    func integers(_ name: String, _ count: Int, in range: Range<Int>) throws -> Tensor {
        try given(name, like: draw.integers([count], in: range))
    }

    private func given(_ name: String, like own: Tensor) throws -> Tensor {
        guard let inputs else { return own.to(device) }
        guard let shape = inputs.shape(of: name) else {
            throw PipelineError(
                "--inputs \(inputs.path): there is no tensor '\(name)', which this work reads")
        }
        guard shape == own.shape else {
            throw PipelineError(
                "--inputs \(inputs.path): '\(name)' has the shape \(shape), this work needs \(own.shape)")
        }
        return try inputs.tensor(named: name).to(own.elementType).to(device)
    }
}

import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// Builds a network from a reference file, runs it in float32 and float64, and compares what it gives.
func compare<Network: ConfiguredNetwork>(
    _ fixture: Fixture, _ type: Network.Type,
    run: (Network, [String: Tensor]) throws -> [String: Tensor]
) throws {
    let configuration = try configuration(of: fixture, as: Network.Configuration.self)
    let weights = try Network.native(fixture.source("weight."))
    let inputs = try fixture.tensors("input.")
    let store = ParameterStore(.loaded(weights))
    let outputs = try run(store.build { try Network(configuration, $0) }, inputs)
    #expect(store.parameterCount == (try fixture.case.required("parameters")))
    let expected = try fixture.tensors("output.")
    #expect(Set(outputs.keys) == Set(expected.keys))
    for (name, tensor) in expected {
        expectClose(outputs[name] ?? .zeros([0]), tensor, absolute: 1e-6, ofLargest: 1e-5, name)
    }
    let wide = ParameterStore(.loaded(weights), elementType: .float64)
    let precise = try run(
        wide.build { try Network(configuration, $0) },
        inputs.mapValues { $0.elementType.isFloatingPoint ? $0.to(.float64) : $0 })
    for (name, tensor) in try fixture.tensors("output64.") {
        expectClose(precise[name] ?? .zeros([0]), tensor, absolute: 1e-12, ofLargest: 1e-11, name)
    }
}

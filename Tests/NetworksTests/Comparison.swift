import Foundation
import Layers
import Tensors
import TestSupport
import Testing

/// The configuration that a reference file was made with.
func configuration<Configuration: Decodable>(
    of fixture: Fixture, as type: Configuration.Type
) throws -> Configuration {
    let value = try #require(fixture.case["configuration"])
    return try JSONDecoder().decode(type, from: Data(value.text.utf8))
}

/// Compares a network with a reference file: forward in float32 and float64, and every gradient.
func compare<Network>(
    _ fixture: Fixture, build: (Weights) throws -> Network,
    run: (Network, _ x: Tensor, _ time: Tensor, _ labels: Tensor?) -> Tensor
) throws {
    try compare(fixture, build: build) { network, inputs in
        try run(
            network, #require(inputs["sample"]), #require(inputs["timestep"]), inputs["class_labels"])
    }
}

/// The same for a network with inputs of its own, which are given by name.
func compare<Network>(
    _ fixture: Fixture, build: (Weights) throws -> Network,
    run: (Network, _ inputs: [String: Tensor]) throws -> Tensor
) throws {
    let weights = try fixture.source("weight.")
    let gradients = try fixture.tensors("gradient.")
    var inputs = try fixture.tensors("input.")
    for name in inputs.keys where gradients[name] != nil {
        inputs[name] = inputs[name]?.requiringGradient()
    }

    let store = ParameterStore(.loaded(weights), purpose: .training)
    let network = try store.build(build)
    #expect(store.parameterCount == (try fixture.case.required("parameters")))
    let output = try run(network, inputs)
    expectClose(output, try fixture.tensor("output.sample"), relative: 1e-5, absolute: 1e-5)

    try (output * fixture.tensor("input.cotangent")).mean().backward()
    let largest = try gradients.values.map { try $0.magnitude().max().item() }.max() ?? 0
    for (name, expected) in gradients {
        // A parameter that takes no part has no gradient; the reference then holds zeros. One that a norm
        // takes out again (a bias before groups of one channel) has rounding errors for a gradient.
        let found = (inputs[name] ?? store[name])?.gradient
        expectClose(
            found ?? .zeros(expected.shape), expected, absolute: 1e-6 * largest, ofLargest: 1e-4,
            "gradient of \(name)")
    }

    let precise = try ParameterStore(.loaded(weights), elementType: .float64).build(build)
    let wide = try inputs.mapValues { $0.elementType.isFloatingPoint ? $0.detached().to(.float64) : $0 }
        .merging(fixture.tensors("input64.")) { $1 }
    expectClose(try run(precise, wide), try fixture.tensor("output64.sample"), absolute: 1e-10)
}

/// The largest difference between two tensors.
func distance(_ a: Tensor, _ b: Tensor) throws -> Double {
    try (a.to(.float64) - b.to(.float64)).magnitude().max().item()
}

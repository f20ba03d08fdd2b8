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
    let weights = try fixture.source("weight.")
    let inputs = try fixture.tensors("input.")
    let x = try fixture.tensor("input.sample")
    let time = try fixture.tensor("input.timestep")

    let store = ParameterStore(.loaded(weights), purpose: .training)
    let network = try store.build(build)
    #expect(store.parameterCount == (try fixture.case.required("parameters")))
    let leaf = x.requiringGradient()
    let output = run(network, leaf, time, inputs["class_labels"])
    expectClose(output, try fixture.tensor("output.sample"), relative: 1e-5, absolute: 1e-5)

    try (output * fixture.tensor("input.cotangent")).mean().backward()
    let gradients = try fixture.tensors("gradient.")
    let largest = try gradients.values.map { try $0.magnitude().max().item() }.max() ?? 0
    for (name, expected) in gradients {
        // A parameter that takes no part has no gradient; the reference then holds zeros. One that a norm
        // takes out again (a bias before groups of one channel) has rounding errors for a gradient.
        let found = name == "sample" ? leaf.gradient : store[name]?.gradient
        expectClose(
            found ?? .zeros(expected.shape), expected, absolute: 1e-6 * largest, ofLargest: 1e-4,
            "gradient of \(name)")
    }

    func wide(_ tensor: Tensor) -> Tensor {
        tensor.elementType.isFloatingPoint ? tensor.to(.float64) : tensor
    }
    let precise = try ParameterStore(.loaded(weights), elementType: .float64).build(build)
    expectClose(
        run(precise, wide(x), wide(time), inputs["class_labels"].map(wide)),
        try fixture.tensor("output64.sample"), absolute: 1e-10)
}

/// The largest difference between two tensors.
func distance(_ a: Tensor, _ b: Tensor) throws -> Double {
    try (a.to(.float64) - b.to(.float64)).magnitude().max().item()
}

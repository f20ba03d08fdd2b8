import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// An autoencoder of a reference file, whose parameters follow from a seed, in a precision.
///
/// Every parameter is drawn after the one before it in the order of names: a name that is not diffusers'
/// would put other numbers in its place.
func autoencoder<Network: ConfiguredNetwork>(
    _ fixture: Fixture, as type: Network.Type = Network.self, _ elementType: ElementType = .float32,
    purpose: ParameterStore.Purpose = .inference
) throws -> (network: Network, store: ParameterStore) {
    let shapes = try JSONDecoder().decode(
        [String: [Int]].self, from: Data(#require(fixture.case["shapes"]).text.utf8))
    let generator = RandomGenerator(seed: UInt64(try fixture.case.required("weights", as: Int.self)))
    var source = TensorDictionary([:])
    for (name, extents) in shapes.sorted(by: { $0.key < $1.key }) {
        let noise = generator.normal(Shape(extents))
        let count = extents.dropFirst().reduce(1, *)
        let isScale = extents.count == 1 && name.hasSuffix("weight")
        source.tensors[name] =
            extents.count > 1 ? noise / Double(count).squareRoot() : 0.2 * noise + (isScale ? 1.0 : 0)
    }
    let store = ParameterStore(.loaded(source), purpose: purpose, elementType: elementType)
    let settings = try configuration(of: fixture, as: Network.Configuration.self)
    let network = try store.build { try Network(settings, $0) }
    #expect(store.parameterCount == (try fixture.case.required("parameters", as: Int.self)))
    return (network, store)
}

/// Compares what a network makes of an input of a reference file with the file, in float32 and float64.
func expectReference<Network: ConfiguredNetwork>(
    _ fixture: Fixture, as type: Network.Type, _ outputs: [(input: String, output: String)],
    _ function: (Network, _ output: String, _ input: Tensor) -> Tensor
) throws {
    let network = try autoencoder(fixture, as: type).network
    let precise = try autoencoder(fixture, as: type, .float64).network
    for (input, output) in outputs {
        let x = try fixture.tensor("input." + input)
        expectClose(
            function(network, output, x), try fixture.tensor("output." + output), ofLargest: 1e-5, output)
        expectClose(
            function(precise, output, x.to(.float64)), try fixture.tensor("output64." + output),
            ofLargest: 1e-11, output)
    }
}

/// The number of values in each parameter and part of a network, from shapes alone.
func counts<Network: ConfiguredNetwork>(_ configuration: Network.Configuration, _ type: Network.Type) throws
    -> ParameterStore
{
    let store = ParameterStore(.shapesOnly)
    _ = try store.build { try type.init(configuration, $0) }
    return store
}

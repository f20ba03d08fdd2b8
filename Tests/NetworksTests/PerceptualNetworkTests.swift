import Checkpoints
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct PerceptualNetworkTests {
    /// The weights of a reference file, which follow from a seed, in the order of their names.
    private func weights(_ fixture: Fixture) throws -> [String: Tensor] {
        let shapes = try JSONDecoder().decode(
            [String: [Int]].self, from: Data(#require(fixture.case["shapes"]).text.utf8))
        let generator = RandomGenerator(seed: UInt64(try fixture.case.required("weights", as: Int.self)))
        var weights: [String: Tensor] = [:]
        for (name, extents) in shapes.sorted(by: { $0.key < $1.key }) {
            let noise = generator.normal(Shape(extents))
            if name.hasPrefix("lin") {
                weights[name] = noise.magnitude() / Double(extents[1])
            } else if extents.count == 1 {
                weights[name] = noise * 0.1
            } else {
                weights[name] = noise * (2 / Double(extents.dropFirst().reduce(1, *))).squareRoot()
            }
        }
        return weights
    }

    @Test(arguments: try Fixture.all(in: "autoencoder_losses", prefix: "perceptual-"))
    func `distances and gradients of a file are PyTorch's`(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        var tensors = try weights(fixture)
        // What the package keeps beside: the same weights as a list, and the scaling.
        tensors["lins.0.model.1.weight"] = tensors["lin0.model.1.weight"]
        tensors["scaling_layer.shift"] = Tensor([-0.030, -0.088, -0.188] as [Float])
        let path = folder("lpips.safetensors")
        try SafetensorsWriter(tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }).write(to: path)
        let distance = try PerceptualNetwork(path: path).distance
        for channels in [1, 3] {
            let first = try fixture.tensor("first.\(channels)").requiringGradient()
            let found = distance(first, try fixture.tensor("second.\(channels)"))
            expectClose(found, try fixture.tensor("distance.\(channels)"), relative: 1e-5)
            let gradient = try #require(try gradients(of: [found.sum()], withRespectTo: [first])[0])
            expectClose(gradient, try fixture.tensor("gradient.\(channels)"), ofLargest: 1e-4)
        }
        let same = distance(try fixture.tensor("first.3"), try fixture.tensor("first.3"))
        #expect(try same.array(of: Float.self) == [0, 0])
    }

    /// A picture in which nothing lights up has features of length 0, whose root has no slope there.
    @Test func `features of length 0 have gradients`() throws {
        let distance = FeatureDistance { [$0.relu()] }
        let dark = Tensor.full(-1, [1, 2, 3, 3]).requiringGradient()
        let found = distance(dark, .ones([1, 2, 3, 3]))
        expectClose(found, Tensor([1.0 as Float]), absolute: 1e-6)
        let gradient = try #require(try gradients(of: [found.sum()], withRespectTo: [dark])[0])
        #expect(try gradient.array(of: Float.self).allSatisfy { $0 == 0 })
    }

    @Test func `other files are refused with what is missing`() throws {
        let folder = try TemporaryFolder()
        let other = folder("other.safetensors")
        try SafetensorsWriter([("conv.weight", .zeros([1]))]).write(to: other)
        #expect {
            try PerceptualNetwork(path: other)
        } throws: {
            "\($0)".contains(other)
                && "\($0)".contains("[64, 3, 3, 3] of VGG-16 or [64, 3, 11, 11] of AlexNet")
        }
        let partial = folder("partial.safetensors")
        try SafetensorsWriter([("net.slice1.0.weight", .zeros([64, 3, 11, 11]))]).write(to: partial)
        #expect { try PerceptualNetwork(path: partial) } throws: { "\($0)".contains("net.slice1.0.bias") }
        #expect(throws: CheckpointError.self) { try PerceptualNetwork(path: folder("none.safetensors")) }
    }
}

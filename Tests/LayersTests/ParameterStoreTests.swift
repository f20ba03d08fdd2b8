import Layers
import Tensors
import TestSupport
import Testing

@Suite struct ParameterStoreTests {
    private func two(_ weights: Weights) -> (Linear, Linear) {
        (Linear(inputs: 3, outputs: 2, weights["first"]), Linear(inputs: 2, outputs: 1, weights["second"][0]))
    }

    private var complete: TensorDictionary {
        TensorDictionary([
            "first.weight": .ones([2, 3]), "first.bias": .zeros([2]), "second.0.weight": .ones([1, 2]),
            "second.0.bias": .zeros([1]),
        ])
    }

    @Test func `names are paths, in the order in which the network asks`() throws {
        let store = ParameterStore(.loaded(complete))
        _ = try store.build(two)
        #expect(store.names == ["first.weight", "first.bias", "second.0.weight", "second.0.bias"])
        #expect(store.parameterCount == 6 + 2 + 2 + 1)
        #expect(store.report.used == store.names)
        #expect(store.report.isComplete)
        #expect(store.report.problems.isEmpty)
    }

    @Test func `missing, unused and wrongly shaped tensors are listed together`() throws {
        var source = complete
        source.tensors["first.bias"] = nil
        source.tensors["second.0.weight"] = .ones([2, 1])
        source.tensors["third.weight"] = .ones([1])
        #expect { try ParameterStore(.loaded(source)).build(two) } throws: { error in
            guard let report = (error as? LoadError)?.report else { return false }
            let wrong = report.wrongShapes
            return report.missing == ["first.bias"] && report.unused == ["third.weight"]
                && wrong.count == 1 && wrong[0].name == "second.0.weight" && wrong[0].found == [2, 1]
                && wrong[0].needed == [1, 2] && report.used == ["first.weight", "second.0.bias"]
                && "\(error)".contains("1 tensor missing: \"first.bias\"")
                && "\(error)".contains("\"second.0.weight\" ([2, 1] instead of [1, 2])")
        }
    }

    @Test func `at most 20 of a kind are named`() throws {
        var source = complete
        for index in 0..<25 { source.tensors["extra.\(100 + index)"] = .ones([1]) }
        #expect { try ParameterStore(.loaded(source)).build(two) } throws: { error in
            let text = "\(error)"
            return text.contains("25 tensors not known to the network: \"extra.100\",")
                && text.contains("extra.119")
                && !text.contains("extra.120") && text.contains("and 5 more")
                && (error as? LoadError)?.report?.unused.count == 25
        }
    }

    @Test func `names that are equal only to a reader are two names`() throws {
        // é as one scalar and as e with an accent: Swift calls these strings equal, a file does not.
        let source = TensorDictionary(["caf\u{E9}": .ones([1])])
        #expect {
            try ParameterStore(.loaded(source)).build { $0.parameter("cafe\u{301}", [1], .zeros) }
        } throws: {
            (($0 as? LoadError)?.report?.unused.count ?? 0) == 1
        }
    }

    @Test func `shapes only takes no memory, whatever the size`() throws {
        let store = ParameterStore(.shapesOnly)
        let before = Machine.residentBytes
        _ = try store.build { Linear(inputs: 1 << 20, outputs: 1 << 16, $0) }
        #expect(store.parameterCount == (1 << 36) + (1 << 16))
        #expect(store.parameters.allSatisfy { $0.device == .meta })
        #expect(Machine.residentBytes - before < 1 << 26)
    }

    @Test func `initializers keep to their bounds and moments`() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 21)))
        let count = 40_000
        let (uniform, normal, ones, zeros) = try store.build {
            (
                $0.parameter("uniform", [count], .fanIn(16)),
                $0.parameter("normal", [count], .normal(deviation: 3)),
                $0.parameter("ones", [7], .ones), $0.parameter("zeros", [7], .zeros)
            )
        }
        let (least, most): (Double, Double) = (try uniform.min().item(), try uniform.max().item())
        #expect(least >= -0.25 && least < -0.249 && most <= 0.25 && most > 0.249)
        // Five standard deviations of each estimate.
        let root = Double(count).squareRoot()
        let (middle, mean): (Double, Double) = (try uniform.mean().item(), try normal.mean().item())
        let deviation: Double = try normal.standardDeviation().item()
        #expect(abs(middle) < 5 * 0.25 / 3.0.squareRoot() / root)
        #expect(abs(mean) < 5 * 3 / root)
        #expect(abs(deviation - 3) < 5 * 3 / 2.0.squareRoot() / root)
        #expect(try ones.array() == [Double](repeating: 1, count: 7))
        #expect(try zeros.array() == [Double](repeating: 0, count: 7))
    }

    @Test func `layers begin as those of PyTorch, uniform within 1 over the root of their inputs`() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 22)))
        _ = try store.build {
            (
                Linear(inputs: 64, outputs: 512, $0["linear"]),
                Convolution2D(inputs: 32, outputs: 256, kernel: 3, groups: 4, $0["convolution"]),
                TransposedConvolution2D(
                    inputs: 256, outputs: 16, kernel: 4, stride: 2, padding: 1, $0["transposed"])
            )
        }
        for (name, inputs) in [("linear", 64), ("convolution", 8 * 9), ("transposed", 16 * 16)] {
            for part in ["weight", "bias"] {
                let bound = 1 / Double(inputs).squareRoot()
                let most: Double = try #require(store["\(name).\(part)"]).magnitude().max().item()
                #expect(most <= bound && most > 0.75 * bound, "\(name).\(part)")
            }
        }
    }

    @Test func `a seed gives the same parameters, in float64 too`() throws {
        func drawn(_ seed: UInt64, _ type: ElementType) throws -> Tensor {
            let store = ParameterStore(.initialized(RandomGenerator(seed: seed)), elementType: type)
            _ = try store.build(two)
            #expect(store.parameters.allSatisfy { $0.elementType == type })
            return try #require(store["second.0.weight"])
        }
        expectClose(try drawn(5, .float64), try drawn(5, .float32), absolute: 0)
        #expect(try drawn(5, .float32).array(of: Float.self) != drawn(6, .float32).array(of: Float.self))
    }

    @Test func `training owns its parameters and records their gradients`() throws {
        let source = complete
        let store = ParameterStore(.loaded(source), purpose: .training)
        let (first, _) = try store.build(two)
        let weight = try #require(store["first.weight"])
        #expect(store.parameters.allSatisfy { $0.requiresGradient })
        try first(.ones([1, 3])).sum().backward()
        expectClose(try #require(weight.gradient), .ones([2, 3]), absolute: 0)
        try weight.assign(5)
        expectClose(try first(.ones([1, 3])).array(), [15, 15], absolute: 0)
        expectClose(try source.tensor(named: "first.weight"), .ones([2, 3]), absolute: 0)
    }

    @Test func `a constant is loaded and saved, and has no gradient`() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let (fixed, trained) = try store.build {
            ($0.constant("fixed", [2], .ones), $0.parameter("trained", [2], .ones))
        }
        #expect(store.names == ["fixed", "trained"])
        #expect(!fixed.requiresGradient && trained.requiresGradient)
        #expect(store.source.names == ["fixed", "trained"])
    }

    @Test func `a buffer is loaded and saved, and neither trained nor counted`() throws {
        func two(_ weights: Weights) -> (Tensor, Tensor) {
            let buffer = weights["part"].buffer("places", [3], .computed { Tensor([1, 2, 3] as [Float]) })
            return (buffer, weights.parameter("trained", [2], .ones))
        }
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let (places, trained) = try store.build(two)
        #expect(try places.array() == [1, 2, 3])
        #expect(!places.requiresGradient && trained.requiresGradient)
        #expect(store.names == ["part.places", "trained"] && store.buffers == ["part.places"])
        #expect(store.parameterCount == 2)

        var source = store.source
        source.tensors["part.places"] = .zeros([3])
        #expect(try ParameterStore(.loaded(source)).build(two).0.array() == [0, 0, 0])
        source.tensors["part.places"] = nil
        #expect { try ParameterStore(.loaded(source)).build(two) } throws: {
            ($0 as? LoadError)?.report?.missing == ["part.places"]
        }
    }

    @Test func `inference records nothing and may share the source's memory`() throws {
        let store = ParameterStore(.loaded(complete))
        _ = try store.build(two)
        #expect(store.parameters.allSatisfy { !$0.requiresGradient })
    }

    @Test func `a tensor that cannot be read is named with the reason`() throws {
        struct Broken: TensorSource {
            let names = ["weight"]
            let files: [String] = []
            func shape(of name: String) -> Shape? { name == "weight" ? [1] : nil }
            func elementType(of name: String) -> ElementType? { .float32 }
            func tensor(named name: String) throws -> Tensor { throw TensorReadError() }
        }
        struct TensorReadError: Error, CustomStringConvertible { let description = "the disk is gone" }
        #expect {
            try ParameterStore(.loaded(Broken())).build { $0.parameter("weight", [1], .ones) }
        } throws: {
            ($0 as? LoadError)?.report?.unreadable == ["\"weight\" (the disk is gone)"]
        }
    }
}

import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct UNet2DConditionTests {
    @Test(arguments: try Fixture.all(in: "unet_condition"))
    func `the answer is that of diffusers, however attention is sliced`(_ fixture: Fixture) throws {
        let reference = try Reference(fixture)
        expectClose(
            try reference.answer(of: reference.network(.float32), .float32), try fixture.tensor("output"),
            ofLargest: 1e-5)
        var network = try reference.network(.float64)
        let expected = try fixture.tensor("output64")
        for slicing in [AttentionSlicing.whole, .halves, .heads(1), .heads(3)] {
            network.attentionSlicing = slicing
            expectClose(try reference.answer(of: network, .float64), expected, absolute: 1e-10, "\(slicing)")
        }
        let prepared = network.preparing(try reference.conditions(.float64))
        expectClose(
            try network(
                fixture.tensor("input.sample").to(.float64), time: reference.time(.float64), prepared),
            expected, absolute: 1e-10, "prepared")
    }

    @Test(arguments: try Fixture.all(in: "unet_condition"))
    func `gradients are those of diffusers`(_ fixture: Fixture) throws {
        let reference = try Reference(fixture)
        let store = ParameterStore(.loaded(reference.weights), purpose: .training, elementType: .float64)
        let network = try store.build { try UNet2DCondition(reference.settings, $0) }
        #expect(store.parameterCount == (try fixture.case.required("parameters")))
        let x = try fixture.tensor("input.sample").to(.float64).requiringGradient()
        var conditions = try reference.conditions(.float64)
        var leaves = ["sample": x]
        if let context = conditions[.context]?.requiringGradient() {
            conditions[.context] = context
            leaves["encoder_hidden_states"] = context
        }
        let output = network(x, time: try reference.time(.float64), conditions)
        try (output * fixture.tensor("cotangent")).mean().backward()
        for (name, leaf) in leaves {
            expectClose(
                leaf.gradient ?? .zeros(leaf.shape, .float64), try fixture.tensor("gradient64." + name),
                absolute: 1e-12, ofLargest: 1e-8, name)
        }
        try compareMoments(store, fixture.array("moments64"))
    }

    /// Of every gradient its length, and its component along the parameter, which has another sign or size
    /// for a gradient that is laid out wrongly.
    private func compareMoments(_ store: ParameterStore, _ moments: [Double]) throws {
        let trained = store.named.filter(\.1.requiresGradient).sorted { $0.0 < $1.0 }
        try #require(moments.count == 2 * trained.count)
        let largest = moments.map(abs).max() ?? 0
        func length(_ x: Tensor) throws -> Double { try x.squared().sum().item(Double.self).squareRoot() }
        for (index, (name, parameter)) in trained.enumerated() {
            let gradient = parameter.gradient ?? .zeros(parameter.shape, .float64)
            let parameter = parameter.detached()
            let component: Double = try (gradient * parameter).sum().item() / length(parameter)
            // A parameter that a norm takes out again has rounding errors for a gradient.
            let tolerance = 1e-8 * moments[2 * index] + 1e-11 * largest
            #expect(abs(try length(gradient) - moments[2 * index]) < tolerance, "length of \(name)")
            #expect(abs(component - moments[2 * index + 1]) < tolerance, "direction of \(name)")
        }
    }

    @Test(arguments: [ElementType.bfloat16, .float16])
    func `half precision is finite and near`(_ type: ElementType) throws {
        func length(_ x: Tensor) throws -> Double { try x.squared().sum().item(Double.self).squareRoot() }
        for fixture in try Fixture.all(in: "unet_condition") {
            let reference = try Reference(fixture)
            let answer = try reference.answer(of: reference.network(type), type)
            #expect(answer.elementType == type)
            #expect(try answer.isFinite().all().item(Bool.self))
            // Random frequencies turn the rounding of times into other angles altogether.
            guard reference.settings.timeEmbeddingType == .positional else { continue }
            let expected = try fixture.tensor("output64")
            #expect(try length(answer.to(.float64) - expected) < 0.2 * length(expected), "\(fixture.name)")
        }
    }

    /// Counts that are published; S4's table of the LDM for ImageNet has its parts, too.
    @Test func `published parameter counts are reproduced`() throws {
        for (name, configuration, count) in PublishedUNets.all {
            let store = ParameterStore(.shapesOnly)
            _ = try store.build { try UNet2DCondition(configuration, $0) }
            #expect(store.parameterCount == count, "\(name)")
        }
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try UNet2DCondition(PublishedUNets.latentClasses, $0) }
        let counts = store.parameterCounts
        func count(_ parts: String...) -> Int { parts.reduce(0) { $0 + counts[$1, default: 0] } }
        #expect(count("time_embedding") == 1_312_768)
        #expect(count("conv_in", "down_blocks") == 109_752_320)
        #expect(count("mid_block") == 61_901_824)
        #expect(count("up_blocks") == 222_007_552)
        #expect(count("conv_norm_out", "conv_out") == 9_732)
    }

    @Test func `a hidden token of the context does not matter, and a seen one does`() throws {
        let (network, x, time) = try small()
        let context = RandomGenerator(seed: 3).normal([2, 3, 6])
        let other = concatenated([context.slice(0..<2, of: 1), .ones([2, 1, 6])], along: 1)
        let mask = Tensor([1, 1, 0, 1, 1, 0] as [Int], shape: [2, 3])
        func answer(_ context: Tensor, _ mask: Tensor?) -> Tensor {
            var conditions = Conditions(context: context)
            conditions[.contextMask] = mask
            return network(x, time: time, conditions)
        }
        #expect(try distance(answer(context, mask), answer(other, mask)) == 0)
        #expect(try distance(answer(context, nil), answer(other, nil)) > 1e-4)
        let none = answer(context, .zeros([2, 3]))
        #expect(try none.isFinite().all().item(Bool.self))
    }

    @Test func `control of zeros changes nothing, and each tensor of control something`() throws {
        let (network, x, time) = try small()
        let context = RandomGenerator(seed: 3).normal([2, 3, 6])
        let shapes: [Shape] = [[2, 8, 6, 7], [2, 8, 6, 7], [2, 8, 3, 4], [2, 8, 3, 4]]
        func answer(_ control: Conditions.Control?) -> Tensor {
            var conditions = Conditions(context: context)
            conditions[.control] = control
            return network(x, time: time, conditions)
        }
        let plain = answer(nil)
        let zeros = shapes.map { Tensor.zeros($0) }
        #expect(try distance(answer(.init(down: zeros, middle: zeros[3])), plain) == 0)
        for index in shapes.indices {
            var down = zeros
            down[index] = .ones(shapes[index])
            #expect(try distance(answer(.init(down: down, middle: zeros[3])), plain) > 1e-4, "\(index)")
        }
        #expect(try distance(answer(.init(down: zeros, middle: .ones(shapes[3]))), plain) > 1e-4)
    }

    @Test func `dropout acts only where a generator is given`() throws {
        let (network, x, time) = try small()
        let conditions = Conditions(context: RandomGenerator(seed: 3).normal([2, 3, 6]))
        func answer(_ seed: UInt64?) -> Tensor {
            network(x, time: time, conditions, dropout: seed.map { RandomGenerator(seed: $0) })
        }
        #expect(try distance(answer(nil), answer(nil)) == 0)
        #expect(try distance(answer(9), answer(9)) == 0)
        #expect(try distance(answer(9), answer(10)) > 1e-4)
    }

    @Test func `a written folder gives the same network`() throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("unet"))
        let (network, x, time) = try small()
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        _ = try store.build { try UNet2DCondition(network.configuration, $0) }
        try network.write(store, to: folder)
        #expect(try folder.configuration()["_class_name"] == "UNet2DConditionModel")
        let loaded = try UNet2DCondition.load(folder).network
        #expect(loaded.configuration == network.configuration)
        let conditions = Conditions(context: .ones([2, 3, 6]))
        #expect(try distance(loaded(x, time: time, conditions), network(x, time: time, conditions)) == 0)
    }

    private func small() throws -> (network: UNet2DCondition, x: Tensor, time: Tensor) {
        var configuration = UNet2DConditionConfiguration()
        (configuration.inChannels, configuration.outChannels) = (1, 1)
        (configuration.blockOutChannels, configuration.normNumGroups) = ([8, 8], 4)
        (configuration.downBlockTypes, configuration.upBlockTypes) = (
            [.crossAttention, .plain], [.plain, .crossAttention]
        )
        (configuration.layersPerBlock, configuration.attentionHeadDim) = (.same(1), .same(2))
        (configuration.crossAttentionDim, configuration.dropout) = (.same(6), 0.5)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        let network = try store.build { try UNet2DCondition(configuration, $0) }
        return (network, RandomGenerator(seed: 2).normal([2, 1, 6, 7]), Tensor([4, 900] as [Int]))
    }
}

/// A reference file whose weights are drawn here as `Tools/oracle/unet_condition.py` draws them: in the order
/// of their names from one generator, so that a name or a shape of our own would show at once.
private struct Reference {
    let fixture: Fixture
    let settings: UNet2DConditionConfiguration
    let weights: TensorDictionary

    init(_ fixture: Fixture) throws {
        self.fixture = fixture
        let settings = try configuration(of: fixture, as: UNet2DConditionConfiguration.self)
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try UNet2DCondition(settings, $0) }
        let generator = RandomGenerator(seed: UInt64(try fixture.case.required("weight_seed", as: Int.self)))
        var drawn: [String: Tensor] = [:]
        for (name, parameter) in store.named.sorted(by: { $0.0 < $1.0 }) {
            let noise = generator.normal(parameter.shape, .float64)
            let inputs = parameter.shape.elementCount / max(parameter.shape[0], 1)
            let tensor =
                switch parameter.rank {
                case 2...: noise / Double(inputs).squareRoot()
                default:
                    if name.hasSuffix("bias") {
                        0.2 * noise
                    } else {
                        name.contains("time_proj") ? noise : 1 + 0.2 * noise
                    }
                }
            drawn[name] = tensor.to(.float32)
        }
        self.settings = settings
        weights = TensorDictionary(drawn)
    }

    func time(_ type: ElementType) throws -> Tensor {
        let time = try fixture.tensor("input.timestep")
        return time.elementType.isFloatingPoint ? time.to(type) : time
    }

    func network(_ type: ElementType) throws -> UNet2DCondition {
        try ParameterStore(.loaded(weights), elementType: type).build {
            try UNet2DCondition(settings, $0)
        }
    }

    func conditions(_ type: ElementType) throws -> Conditions {
        let inputs = try fixture.tensors("input.").mapValues {
            $0.elementType.isFloatingPoint ? $0.to(type) : $0
        }
        let control = try fixture.tensors("control.")
        let ordered = (0..<control.count).map { control["\($0)"]!.to(type) }
        var conditions = Conditions(
            labels: inputs["class_labels"],
            // diffusers takes a context also where no block attends to it.
            context: settings.looksAtContext ? inputs["encoder_hidden_states"] : nil,
            pooledText: inputs["text_embeds"])
        conditions[.contextMask] = inputs["encoder_attention_mask"]
        conditions[.numbers] = inputs["time_ids"]
        conditions[.guidance] = inputs["timestep_cond"]
        conditions[.control] = ordered.last.map { .init(down: Array(ordered.dropLast()), middle: $0) }
        return conditions
    }

    func answer(of network: UNet2DCondition, _ type: ElementType) throws -> Tensor {
        network(try fixture.tensor("input.sample").to(type), time: try time(type), try conditions(type))
    }
}

import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

/// What adapters make of weights, beside sums that are written out.
@Suite struct AdapterTests {
    private let folder: TemporaryFolder
    private let generator = RandomGenerator(seed: 11)

    init() throws { folder = try TemporaryFolder() }

    private func drawn(_ shape: Shape) -> Tensor { generator.normal(shape) }

    /// The weights of a model with an adapter of the given tensors.
    private func adapted(
        _ weights: [String: Tensor], by tensors: [(String, Tensor)], strength: Double = 1,
        metadata: [(String, String)] = [], component: ModelComponent = .unet
    ) throws -> AdaptedSource {
        let path = folder("adapter.safetensors")
        try SafetensorsWriter(tensors, metadata: Dictionary(uniqueKeysWithValues: metadata)).write(to: path)
        var places = AdapterPlaces()
        let source = TensorDictionary(weights)
        places.add(component, source, isMain: true)
        let found = try places.applications(of: AdapterFile(path), strength: strength)
        return try AdaptedSource(source, found[component] ?? [])
    }

    private func expect(
        _ source: AdaptedSource, _ name: String, _ expected: Tensor,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        expectClose(try source.tensor(named: name), expected, absolute: 2e-6, sourceLocation: location)
    }

    /// W + s·(α/r)·B·A, of a matrix and of a kernel; α is the rank where nothing says otherwise.
    @Test(arguments: [nil, 3.0], [1.0, -0.5])
    func theProductIsAdded(_ alpha: Double?, _ strength: Double) throws {
        let (w, k) = (drawn([5, 4]), drawn([5, 3, 2, 2]))
        let (a, b, ka, kb) = (drawn([2, 4]), drawn([5, 2]), drawn([2, 3, 2, 2]), drawn([5, 2, 1, 1]))
        var tensors = [
            ("unet.to_q.lora_A.weight", a), ("unet.to_q.lora_B.weight", b),
            ("lora_unet_conv.lora_down.weight", ka), ("lora_unet_conv.lora_up.weight", kb),
        ]
        if let alpha {
            tensors += [
                ("unet.to_q.alpha", Tensor([Float(alpha)])), ("lora_unet_conv.alpha", Tensor([Float(alpha)])),
            ]
        }
        let source = try adapted(["to_q.weight": w, "conv.weight": k], by: tensors, strength: strength)
        let scale = (alpha ?? 2) / 2 * strength
        try expect(source, "to_q.weight", w + b.matmul(a) * scale)
        try expect(source, "conv.weight", k + einsum("or,rihw->oihw", kb.reshaped([5, 2]), ka) * scale)
    }

    /// diffusers keeps α in the metadata: one for a part of the model, and one for layers whose names end so.
    @Test func alphasOfTheMetadataCount() throws {
        let (w, a, b) = (drawn([3, 4]), drawn([2, 4]), drawn([3, 2]))
        let weights = ["x.to_q.weight": w, "x.to_k.weight": w]
        let tensors = [
            ("unet.x.to_q.lora_A.weight", a), ("unet.x.to_q.lora_B.weight", b),
            ("unet.x.to_k.lora_A.weight", a),
            ("unet.x.to_k.lora_B.weight", b),
        ]
        let text = #"{"unet.lora_alpha": 6, "unet.r": 2, "unet.alpha_pattern": {"to_k": 1}}"#
        let source = try adapted(weights, by: tensors, metadata: [("lora_adapter_metadata", text)])
        try expect(source, "x.to_q.weight", w + b.matmul(a) * 3)
        try expect(source, "x.to_k.weight", w + b.matmul(a) * 0.5)
        let root = #"{"unet.lora_alpha": 6, "unet.use_rslora": true}"#
        let stable = try adapted(weights, by: tensors, metadata: [("lora_adapter_metadata", root)])
        try expect(stable, "x.to_q.weight", w + b.matmul(a) * (6 / 2.0.squareRoot()))
    }

    /// Rows of W + B·A are brought to the stored lengths.
    @Test(arguments: ["lora_magnitude_vector", "dora_scale"])
    func rowsKeepTheStoredLengths(_ name: String) throws {
        let (w, a, b) = (drawn([3, 4]), drawn([2, 4]), drawn([3, 2]))
        let lengths = Tensor([0.5, 2, 7] as [Float])
        let source = try adapted(
            ["to_q.weight": w],
            by: [
                ("unet.to_q.lora_A.weight", a), ("unet.to_q.lora_B.weight", b),
                ("unet.to_q.\(name)", name == "dora_scale" ? lengths.reshaped([3, 1]) : lengths),
            ])
        let result = try source.tensor(named: "to_q.weight")
        expectClose(result.norm([1]), lengths, absolute: 1e-5)
        let direction = w + b.matmul(a)
        expectClose(
            result / result.norm([1], keepingDimensions: true),
            direction / direction.norm([1], keepingDimensions: true), absolute: 1e-5)
    }

    /// (w1a·w1b) ∘ (w2a·w2b), and w1 ⊗ w2, whose scale is 1 where it has no factors of a rank.
    @Test func productsOfProducts() throws {
        let w = drawn([4, 6])
        let (a1, b1, a2, b2) = (drawn([4, 2]), drawn([2, 6]), drawn([4, 2]), drawn([2, 6]))
        let hada = try adapted(
            ["to_q.weight": w],
            by: [
                ("lora_unet_to_q.hada_w1_a", a1), ("lora_unet_to_q.hada_w1_b", b1),
                ("lora_unet_to_q.hada_w2_a", a2),
                ("lora_unet_to_q.hada_w2_b", b2), ("lora_unet_to_q.alpha", Tensor([1 as Float])),
            ])
        try expect(hada, "to_q.weight", w + a1.matmul(b1) * a2.matmul(b2) * 0.5)

        let (first, second) = (drawn([2, 3]), drawn([2, 2]))
        let kron = try adapted(
            ["to_q.weight": w],
            by: [
                ("lora_unet_to_q.lokr_w1", first), ("lora_unet_to_q.lokr_w2", second),
                ("lora_unet_to_q.alpha", Tensor([9 as Float])),
            ])
        var product = [Float](repeating: 0, count: 24)
        let (p, q): ([Float], [Float]) = (try first.array(), try second.array())
        for row in 0..<4 {
            for column in 0..<6 {
                product[row * 6 + column] = p[row / 2 * 3 + column / 2] * q[row % 2 * 2 + column % 2]
            }
        }
        try expect(kron, "to_q.weight", w + Tensor(product, shape: [4, 6]))
    }

    /// LoCon's Tucker form, written out.
    @Test func aCoreBetweenTheFactors() throws {
        let (w, a, b, core) = (
            drawn([4, 3, 2, 2]), drawn([2, 3, 1, 1]), drawn([4, 2, 1, 1]), drawn([2, 2, 2, 2])
        )
        let source = try adapted(
            ["conv.weight": w],
            by: [
                ("lora_unet_conv.lora_down.weight", a), ("lora_unet_conv.lora_up.weight", b),
                ("lora_unet_conv.lora_mid.weight", core),
            ])
        let change = einsum("or,rshw,si->oihw", b.reshaped([4, 2]), core, a.reshaped([2, 3]))
        try expect(source, "conv.weight", w + change)
    }

    /// What the file holds as one layer changes three of the network, each by its part.
    @Test func fusedLayersAreTakenApart() throws {
        let names = ["to_q", "to_k", "to_v"]
        let weights = Dictionary(
            uniqueKeysWithValues: names.map { ("transformer_blocks.0.attn.\($0).weight", drawn([4, 4])) })
        let (a, b) = (drawn([2, 4]), drawn([12, 2]))
        let layer = "diffusion_model.joint_blocks.0.x_block.attn.qkv"
        let lengths = generator.uniform([12]) + 0.5
        for hasLengths in [false, true] {
            let source = try adapted(
                weights,
                by: [("\(layer).lora_A.weight", a), ("\(layer).lora_B.weight", b)]
                    + (hasLengths ? [("\(layer).dora_scale", lengths.reshaped([12, 1]))] : []),
                component: .transformer)
            for (index, name) in names.enumerated() {
                let key = "transformer_blocks.0.attn.\(name).weight"
                let rows = (index * 4)..<(index * 4 + 4)
                var expected = try #require(weights[key]) + b.matmul(a).slice(rows, of: 0)
                if hasLengths {
                    expected =
                        expected / expected.norm([1], keepingDimensions: true)
                        * lengths.slice(rows, of: 0).unsqueezed(1)
                }
                try expect(source, key, expected)
            }
        }
    }

    /// A change of half precision is not lost in the weight's own.
    @Test func halfPrecisionBecomesFloat32() throws {
        let w = drawn([3, 4]).to(.float16)
        let tensors = [
            ("unet.to_q.lora_A.weight", drawn([1, 4])), ("unet.to_q.lora_B.weight", drawn([3, 1])),
        ]
        let source = try adapted(["to_q.weight": w, "to_k.weight": w], by: tensors)
        #expect(
            source.elementType(of: "to_q.weight") == .float32
                && source.elementType(of: "to_k.weight") == .float16)
        #expect(try source.tensor(named: "to_q.weight").elementType == .float32)
        #expect(
            try adapted(["to_q.weight": w], by: tensors, strength: 0).tensor(named: "to_q.weight")
                .isIdentical(to: w))
    }

    static let wrong: [([(String, Shape)], String)] = [
        ([("unet.to_q.lora_A.weight", [2, 4])], "no up factor"),
        ([("unet.to_q.lora_B.weight", [3, 2])], "no down factor"),
        (
            [
                ("unet.to_q.lora_A.weight", [2, 4]), ("unet.to_q.lora_B.weight", [3, 2]),
                ("unet.to_q.stray", [1]),
            ], "\"unet.to_q.stray\""
        ),
        ([("unet.to_z.lora_A.weight", [2, 4]), ("unet.to_z.lora_B.weight", [3, 2])], "\"unet.to_z\""),
        (
            [("unet.to_q.lora_A.weight", [2, 5]), ("unet.to_q.lora_B.weight", [3, 2])],
            "do not give a weight of the shape [3, 4]"
        ),
        (
            [("unet.to_q.lora_A.weight", [3, 4]), ("unet.to_q.lora_B.weight", [3, 2])],
            "do not give a weight of the shape [3, 4]"
        ),
        ([("unet.to_q.lokr_w1", [1, 2])], "one of the two factors"),
        ([("unet.to_q.alpha", [1])], "no factors"),
        ([("unet.to_q.hada_w1_a", [3, 2]), ("unet.to_q.hada_w1_b", [2, 4])], "no hada2a and hada2b"),
        ([("unet.to_q.dora_scale", [1, 4])], "one for each of 3 rows"),
        (
            [
                ("unet.to_q.lora_A.weight", [2, 4]), ("unet.to_q.lora_B.weight", [3, 2]),
                ("unet.to_q.alpha", [2]),
            ], "no single number"
        ),
    ]

    /// Every key has its place, or the file is refused by the key's name.
    @Test(arguments: wrong)
    func whatDoesNotFitIsNamed(_ tensors: [(String, Shape)], _ words: String) throws {
        let error = #expect(throws: CheckpointError.self) {
            let source = try adapted(["to_q.weight": drawn([3, 4])], by: tensors.map { ($0.0, drawn($0.1)) })
            _ = try source.tensor(named: "to_q.weight")
        }
        #expect(error?.problem.contains(words) == true, "\(String(describing: error))")
    }
}

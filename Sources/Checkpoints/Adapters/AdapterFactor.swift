import Storage

/// What a tensor of an adapter file is to its layer, by the end of its name.
///
/// The dialects: kohya's scripts (`lora_down`), PEFT and diffusers (`lora_A`), older files of diffusers (`lora.down`,
/// `lora_linear_layer.down`, `processor.to_q_lora.down`), LyCORIS (`hada_w1_a`, `lokr_w1`).
enum AdapterFactor: String {
    /// A of W + B·A, `[rank, inputs]`.
    case down
    /// B, `[outputs, rank]`.
    case up
    /// The core between them, of LoCon's Tucker form `[rank, rank, height, width]`.
    case middle
    /// What is added to a bias, `[outputs]`.
    case bias
    /// The bias of B, which is scaled as the product is, `[outputs]`.
    case upBias
    /// The number that scales a product, divided by the rank.
    case alpha
    /// The lengths of the rows of a weight that DoRA keeps.
    case magnitude
    /// The factors of LoHa, (w1a·w1b) ∘ (w2a·w2b), with cores of its Tucker form.
    case hada1a, hada1b, hada2a, hada2b, hadaCore1, hadaCore2
    /// The factors of LoKr, w1 ⊗ w2, each whole or a product.
    case kron1, kron1a, kron1b, kron2, kron2a, kron2b, kronCore2
    /// A whole change of a weight.
    case difference

    /// Each end of a name and its factor, the longer ones first where one ends another.
    private static let ends: [(String, AdapterFactor)] = [
        (".lora_linear_layer.down.weight", .down), (".lora_linear_layer.up.weight", .up),
        (".lora_down.weight", .down), (".lora_up.weight", .up), (".lora_mid.weight", .middle),
        (".lora_A.weight", .down), (".lora_B.weight", .up), (".lora_B.bias", .upBias),
        (".lora_A.default.weight", .down), (".lora_B.default.weight", .up),
        (".lora.down.weight", .down), (".lora.up.weight", .up), ("_lora.down.weight", .down),
        ("_lora.up.weight", .up), (".lora_magnitude_vector.weight", .magnitude),
        (".lora_magnitude_vector.default.weight", .magnitude), (".lora_magnitude_vector", .magnitude),
        (".dora_scale", .magnitude), (".alpha", .alpha), (".hada_w1_a", .hada1a), (".hada_w1_b", .hada1b),
        (".hada_w2_a", .hada2a), (".hada_w2_b", .hada2b), (".hada_t1", .hadaCore1), (".hada_t2", .hadaCore2),
        (".lokr_w1", .kron1), (".lokr_w1_a", .kron1a), (".lokr_w1_b", .kron1b), (".lokr_w2", .kron2),
        (".lokr_w2_a", .kron2a), (".lokr_w2_b", .kron2b), (".lokr_t2", .kronCore2), (".diff", .difference),
        (".diff_b", .bias),
    ]

    /// The layer and the factor of a name; `nil` where it ends with none of them.
    static func read(_ name: String) -> (layer: String, factor: AdapterFactor)? {
        guard let (end, factor) = ends.first(where: { name.hasSuffix($0.0) }) else { return nil }
        return (String(name.dropLast(end.count)), factor)
    }
}

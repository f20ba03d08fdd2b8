import Storage

/// What the `adapter_config.json` of the PEFT library tells of the adapter in its folder: how much its products are scaled.
///
/// Every other setting is one that changes nothing once an adapter is trained, or it is refused by its name.
struct PEFTConfiguration {
    private let alpha: Double
    /// Other numbers for layers by their names: the whole name where it begins with `^`, else the name or the end of it.
    private let alphas: [(name: String, alpha: Double)]
    /// Whether alpha is divided by the root of the rank.
    let isRankStabilized: Bool

    /// The names of the files in a folder of PEFT's.
    static let (weights, settings) = ("adapter_model.safetensors", "adapter_config.json")

    /// - Throws: `CheckpointError` that names the file and the setting.
    init(folder: String) throws {
        try self.init(ModelFolder(folder).configuration(Self.settings, allowsNonFinite: true))
    }

    init(_ object: JSONObject) throws {
        func refuse(_ key: String, _ problem: String) -> CheckpointError {
            CheckpointError(object.place, "\(quoted(key)) \(problem)")
        }
        let type: String = try object.required("peft_type")
        guard type == "LORA" else {
            throw refuse("peft_type", "is \(quoted(type)), and LORA is what is known here")
        }
        for (key, value) in object.members where !Self.read.contains(key) && !Self.ofTraining.contains(key) {
            guard Self.asksForNothing(value) else {
                throw refuse(key, "is set, and an adapter with it is not known here")
            }
        }
        if let bias: String = try object.optional("bias"), bias != "none" {
            throw refuse(
                "bias", "is \(quoted(bias)): biases of the model's own are not taken from an adapter")
        }
        // These change the weights of the model before it is trained, and so what the adapter is added to.
        if case .string(let start)? = object["init_lora_weights"], !Self.harmlessStarts.contains(start) {
            throw refuse(
                "init_lora_weights",
                "is \(quoted(start)), which changes the model's own weights: save the adapter as a plain LoRA ('path_initial_model_for_weight_conversion' of PEFT)"
            )
        }
        alpha = try object.required("lora_alpha")
        isRankStabilized = try object.optional("use_rslora") ?? false
        let pattern: JSONObject = try object.optional("alpha_pattern") ?? JSONObject()
        alphas = try pattern.members.map { name, value in
            guard let alpha = Double(json: value) else {
                throw refuse("alpha_pattern", "has no number for \(quoted(name))")
            }
            let plain = name.hasPrefix("^") ? String(name.dropFirst()) : name
            guard plain.utf8.allSatisfy(Self.isOfNames) else {
                throw refuse(
                    "alpha_pattern", "has the expression \(quoted(name)): names of layers alone are read here"
                )
            }
            return (name, alpha)
        }
    }

    /// The alpha of a layer.
    /// - Parameter layer: its name behind `base_model.model.`
    func alpha(of layer: String) -> Double {
        let own = alphas.first { name, _ in
            name.hasPrefix("^") ? layer == name.dropFirst() : layer == name || layer.hasSuffix("." + name)
        }
        return own?.alpha ?? alpha
    }

    private static let read: Set = [
        "peft_type", "bias", "lora_alpha", "alpha_pattern", "use_rslora", "init_lora_weights",
        // The factors show these.
        "r", "rank_pattern", "use_dora", "lora_bias",
    ]

    private static let ofTraining: Set = [
        "peft_version", "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode",
        "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "lora_dropout",
        "loftq_config", "eva_config", "corda_config", "lora_ga_config", "megatron_config", "megatron_core",
        "runtime_config", "ensure_weight_tying", "qalora_group_size", "ephemeral_gpu_offload",
    ]

    private static let harmlessStarts = ["gaussian", "eva", "orthogonal"]

    private static func asksForNothing(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false): true
        case .array(let values): values.isEmpty
        case .object(let object): object.keys.isEmpty
        default: false
        }
    }

    /// Letters, digits, `_`, `-` and dots, which stand for themselves.
    private static func isOfNames(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

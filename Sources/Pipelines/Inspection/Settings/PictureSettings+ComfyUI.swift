import Storage

extension PictureSettings {
    /// The text `prompt` of ComfyUI: the graph that was run, each node with its class and its inputs, which are values or
    /// links to other nodes. What is wanted is looked for from the sampling node up the links.
    @Sendable static func comfyUI(_ texts: [String: String]) -> PictureSettings? {
        guard let text = texts["prompt"], let graph = object(text).flatMap(ComfyGraph.init),
            let sampler = graph.sampler
        else { return nil }
        var settings = PictureSettings(program: "ComfyUI")
        func words(_ link: [String]) -> String? {
            graph.link(link, from: sampler).flatMap { Self.text(graph.value(ComfyGraph.texts, from: $0)) }
        }
        settings.prompt = words(["positive", "conditioning"])
        settings.negativePrompt = words(["negative"])
        settings.steps = whole(graph.value(["steps"], from: sampler), in: text).flatMap(Int.init(exactly:))
        settings.sampler = Self.text(graph.value(["sampler_name"], from: sampler))
        settings.seed = whole(graph.value(["seed", "noise_seed"], from: sampler), in: text)
        settings.guidance = number(graph.value(["cfg", "guidance"], from: sampler))
        settings.model = Self.text(graph.value(["ckpt_name", "unet_name"], from: sampler))
        return settings
    }
}

/// A graph of ComfyUI.
private struct ComfyGraph {
    /// The inputs of each node by its number, in the order of the text.
    private var inputs = NameTable<JSONObject>()
    /// The class of each node.
    private var classes: [String: String] = [:]

    /// What nodes call the text that they encode, or hand on.
    static let texts = ["text", "text_g", "text_l", "t5xxl", "clip_l", "prompt", "string", "value"]

    init?(_ object: JSONObject) {
        for (name, value) in object.members {
            guard let node = JSONObject(json: value), let kind = PictureSettings.text(node["class_type"]),
                let own = node["inputs"].flatMap(JSONObject.init(json:))
            else { continue }
            inputs.append(name, own)
            classes[name] = kind
        }
        if inputs.isEmpty { return nil }
    }

    /// The first node that samples from noise: one of the sampling classes whose picture comes from no other of them.
    var sampler: String? {
        let samplers = inputs.names.filter { name in
            let kind = classes[name] ?? ""
            return kind.hasPrefix("KSampler") && !kind.hasSuffix("Select") || kind.hasPrefix("SamplerCustom")
        }
        let first = samplers.first { name in
            guard let latent = inputs[name]?["latent_image"].flatMap(linked) else { return true }
            return !reached(from: latent).contains { samplers.contains($0) }
        }
        return first ?? samplers.first
            ?? inputs.names.first { inputs[$0]?["steps"] != nil && inputs[$0]?["seed"] != nil }
    }

    /// The first value under one of some names, at a node or up its links.
    func value(_ names: [String], from node: String) -> JSONValue? {
        for node in reached(from: node) {
            for name in names {
                if let value = inputs[node]?[name], linked(value) == nil { return value }
            }
        }
        return nil
    }

    /// The first node that an input of one of some names leads to, from a node or up its links.
    func link(_ names: [String], from node: String) -> String? {
        for node in reached(from: node) {
            for name in names {
                if let link = inputs[node]?[name].flatMap(linked) { return link }
            }
        }
        return nil
    }

    /// A node and all that its inputs lead to, the nearest first.
    private func reached(from start: String) -> [String] {
        var (found, seen) = ([start], Set([start]))
        var position = 0
        while position < found.count {
            for (_, value) in inputs[found[position]]?.members ?? NameTable() {
                if let next = linked(value), seen.insert(next).inserted { found.append(next) }
            }
            position += 1
        }
        return found
    }

    /// The node that a value leads to: `["4", 0]` is the first output of node 4.
    private func linked(_ value: JSONValue) -> String? {
        guard case .array(let pair) = value, pair.count == 2, case .integer = pair[1] else { return nil }
        switch pair[0] {
        case .string(let name) where inputs[name] != nil: return name
        case .integer(let number) where inputs[String(number)] != nil: return String(number)
        default: return nil
        }
    }
}

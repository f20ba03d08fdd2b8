import Layers
import Storage
import Tensors

/// Where the layers of a model stand, under every name by which the dialects of adapters call them.
public struct AdapterPlaces: Sendable {
    /// A layer of a network.
    struct Place: Sendable {
        /// Its native name, without `.weight`.
        let name: String
        /// The block that it is in (`AdapterBlocks`).
        let block: String
        /// How its weight is seen in the form that the file changes.
        let view: TensorView
    }

    /// The layers under one name, and the part of the model that they are in.
    private var places: [String: (component: ModelComponent, layers: [Place])] = [:]

    /// The blocks of the denoising network, and whether each has attention.
    private var blocks: [String: Bool] = [:]

    /// No layers.
    public init() {}

    /// Adds the layers of a part.
    /// - Parameters:
    ///   - source: its weights under native names.
    ///   - isMain: whether names without the part's are meant for it: the denoising network.
    public mutating func add(
        _ component: ModelComponent, _ source: any TensorSource, isMain: Bool
    ) {
        let original = isMain ? Self.original(source.names) : nil
        for name in source.names where name.hasSuffix(".weight") && (source.shape(of: name)?.rank ?? 0) > 1 {
            let layer = String(name.dropLast(".weight".count))
            let found = original?.foreign(for: name)
            let block =
                isMain
                ? AdapterBlocks.block(of: layer, original: original == nil ? nil : found?.name ?? "") : "BASE"
            let place = Place(name: layer, block: block, view: .whole)
            if block != "BASE" { blocks[block] = blocks[block] == true || layer.contains("attn") }
            for prefix in Self.dotted(component) + (isMain ? [""] : []) {
                add(prefix + layer, component, place)
            }
            for prefix in Self.joined(component) { add(prefix + layer.replacingDots, component, place) }
            // Older files of diffusers put a processor between an attention and its layers, and count no outputs.
            let old = layer.hasSuffix(".to_out.0") ? String(layer.dropLast(2)) : layer
            if let dot = old.lastIndex(of: "."),
                old[..<dot].hasSuffix("attn1") || old[..<dot].hasSuffix("attn2")
            {
                for prefix in Self.dotted(component) + (isMain ? [""] : []) {
                    add(prefix + old[..<dot] + ".processor" + old[dot...], component, place)
                }
            }
            guard let (foreign, view) = found,
                foreign.hasSuffix(".weight")
            else { continue }
            let stem = String(foreign.dropLast(".weight".count))
            for prefix in ["diffusion_model.", "model.diffusion_model."] + (isMain ? [""] : []) {
                add(prefix + stem, component, Place(name: layer, block: block, view: view))
            }
            for prefix in Self.joined(component) {
                add(prefix + stem.replacingDots, component, Place(name: layer, block: block, view: view))
            }
        }
    }

    /// How a denoising network is called in files of its original layout; `nil` where it has none.
    private static func original(_ names: [String]) -> TensorLayout? {
        let blocks = TensorLayout.count(names, of: "transformer_blocks.")
        guard blocks == 0 else { return .sd3Transformer(prefix: "", blocks: blocks) }
        // The width of heads decides about values of fused layers, which these networks do not have.
        return CompVisUNet(natives: names)?.layout(prefix: "", headWidth: 1)
    }

    private mutating func add(_ name: String, _ component: ModelComponent, _ place: Place) {
        guard var known = places[name] else {
            places[name] = (component, [place])
            return
        }
        // The same layer by two ways, or a further part of what the file holds as one.
        guard known.component == component, !known.layers.contains(where: { $0.name == place.name }) else {
            return
        }
        known.layers.append(place)
        places[name] = known
    }

    /// With what the layers of a part begin in files with dotted names.
    private static func dotted(_ component: ModelComponent) -> [String] {
        let towers: [ModelComponent: String] = [
            .textEncoder: "clip_l", .textEncoder2: "clip_g", .textEncoder3: "t5xxl",
        ]
        let own = ["\(component.rawValue).", "base_model.model.\(component.rawValue)."]
        return own + (towers[component].map { ["text_encoders.\($0).transformer."] } ?? [])
            + ([.unet, .transformer, .textEncoder].contains(component) ? ["base_model.model."] : [])
    }

    /// The same with dots written as `_`.
    private static func joined(_ component: ModelComponent) -> [String] {
        switch component {
        case .unet: ["lora_unet_", "lycoris_"]
        case .transformer: ["lora_unet_", "lora_transformer_", "lycoris_"]
        case .textEncoder: ["lora_te_", "lora_te1_"]
        case .textEncoder2: ["lora_te2_"]
        case .textEncoder3: ["lora_te3_"]
        default: []
        }
    }

    /// The blocks of the denoising network from its input to its output.
    private var orderedBlocks: [(name: String, attends: Bool)] {
        func rank(_ name: String) -> Int { name.hasPrefix("IN") ? 0 : name.hasPrefix("M") ? 1 : 2 }
        return blocks.map { ($0.key, $0.value) }.sorted {
            (rank($0.0), $0.0.count, $0.0) < (rank($1.0), $1.0.count, $1.0)
        }
    }

    /// What an adapter changes, by part of the model.
    /// - Parameter blocks: how much of it is wanted in each block; all alike where `nil`.
    /// - Throws: `CheckpointError` that names a layer or a block which the model does not have.
    public func applications(of file: AdapterFile, strength: Double, blocks: AdapterBlocks? = nil) throws
        -> [ModelComponent: [AdaptedSource.Application]]
    {
        let weights = try blocks?.weights(of: orderedBlocks)
        var found: [ModelComponent: [AdaptedSource.Application]] = [:]
        for change in file.changes {
            guard let (component, layers) = places[change.layer] else {
                throw CheckpointError(
                    file.path,
                    "\(quoted(change.layer)) is no layer of this model: the adapter was made for another one")
            }
            found[component, default: []].append(
                AdaptedSource.Application(
                    change: change, layers: layers.sorted { $0.view.order < $1.view.order },
                    strength: strength * (weights?[layers[0].block] ?? 1)))
        }
        return found
    }
}

extension String {
    fileprivate var replacingDots: String { String(map { $0 == "." ? "_" : $0 }) }
}

extension TensorView {
    /// The place among the parts of one tensor.
    fileprivate var order: Int {
        if case .part(let index, _) = self { return index }
        return 0
    }
}

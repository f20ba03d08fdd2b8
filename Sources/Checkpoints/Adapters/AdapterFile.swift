import Storage
import Tensors

/// A file with small changes to the layers of a model (LoRA, LoHa, LoKr, DoRA), by layer as the file calls them.
public struct AdapterFile: Sendable {
    /// The path as it was given.
    public let path: String
    /// The changes, in the order of the file.
    public let changes: [AdapterChange]
    /// The model that it was made for, as the file states it; `nil` where it does not.
    public let base: String?

    /// Reads a file.
    /// - Throws: `CheckpointError` that names the key which no adapter has, or the factor that is missing.
    public init(_ path: String) throws {
        let file = try SafetensorsFile(path: path)
        self.path = path
        var layers = NameTable<Int>()
        var factors: [[AdapterFactor: Tensor]] = []
        for name in file.names {
            guard let (layer, factor) = AdapterFactor.read(name) else {
                throw CheckpointError(path, "\(quoted(name)) is the name of nothing that an adapter has")
            }
            if layers.append(layer, factors.count) { factors.append([:]) }
            guard factors[layers[layer]!].updateValue(try file.tensor(named: name), forKey: factor) == nil
            else {
                throw CheckpointError(path, "\(quoted(name)) is there twice, in two dialects")
            }
        }
        guard !layers.isEmpty else { throw CheckpointError(path, "it holds no tensors") }
        let metadata = try AdapterMetadata(file)
        do {
            changes = try zip(layers.names, factors).map { layer, factors in
                try AdapterChange(
                    layer, factors, alpha: metadata.alpha(of: layer),
                    dividesByRoot: metadata.isRankStabilized(layer))
            }
        } catch let error as CheckpointError {
            throw CheckpointError(path, error.problem)
        }
        base = metadata.base
    }
}

/// What the metadata of an adapter file say.
private struct AdapterMetadata {
    /// The model that it was made for, by kohya's scripts or by the common description of models.
    let base: String?
    /// PEFT's configuration as diffusers writes it: `unet.lora_alpha`, `unet.alpha_pattern`.
    private let peft: JSONObject?

    init(_ file: SafetensorsFile) throws {
        base = file.metadata["modelspec.architecture"] ?? file.metadata["ss_base_model_version"]
        peft = try file.metadata["lora_adapter_metadata"].flatMap {
            JSONObject(json: try JSONValue(parsing: $0.utf8, place: "\(file.path), lora_adapter_metadata"))
        }
    }

    func alpha(of layer: String) -> Double? {
        let (component, stem) = parts(of: layer)
        let own = peft?["\(component).alpha_pattern"].flatMap(JSONObject.init(json:))?.members
        // A key of the pattern is a layer's name, or the end of one.
        let pattern = own?.names.first { stem == $0 || stem.hasSuffix("." + $0) }
        return (pattern.flatMap { own?[$0] } ?? peft?["\(component).lora_alpha"]).flatMap(Double.init(json:))
    }

    func isRankStabilized(_ layer: String) -> Bool {
        peft?["\(parts(of: layer).component).use_rslora"] == .bool(true)
    }

    private func parts(of layer: String) -> (component: String, stem: String) {
        let component = String(layer.prefix { $0 != "." })
        return (component, String(layer.dropFirst(component.count + 1)))
    }
}

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

    /// The files of an adapter: the one that a path is, or the weights and the configuration in a folder of PEFT's.
    public static func files(of path: String) -> [String] {
        guard Files.isFolder(path) else { return [path] }
        return [PEFTConfiguration.weights, PEFTConfiguration.settings].map { "\(path)/\($0)" }
    }

    /// Reads a file, or a folder in which PEFT saved an adapter (`adapter_model.safetensors` and `adapter_config.json`).
    /// - Throws: `CheckpointError` that names the key which no adapter has, or the factor that is missing.
    public init(_ path: String) throws {
        let weights = Self.files(of: path)[0]
        let settings = weights == path ? nil : try PEFTConfiguration(folder: path)
        let file = try SafetensorsFile(path: weights)
        self.path = path
        var layers = NameTable<Int>()
        var factors: [[AdapterFactor: Tensor]] = []
        for name in file.names {
            guard let (layer, factor) = AdapterFactor.read(name) else {
                throw CheckpointError(path, "\(quoted(name)) is the name of nothing that an adapter has")
            }
            if layers.append(layer, factors.count) { factors.append([:]) }
            let tensor = try file.tensor(named: name)
            // PEFT keeps the lengths of kernels in the shape that they are multiplied in.
            let own =
                factor == .magnitude && name.contains(".lora_magnitude_vector") ? tensor.flattened() : tensor
            guard factors[layers[layer]!].updateValue(own, forKey: factor) == nil
            else {
                throw CheckpointError(path, "\(quoted(name)) is there twice, in two dialects")
            }
        }
        guard !layers.isEmpty else { throw CheckpointError(path, "it holds no tensors") }
        let metadata = try AdapterMetadata(file, settings)
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
    /// PEFT's own configuration beside the file.
    private let settings: PEFTConfiguration?

    init(_ file: SafetensorsFile, _ settings: PEFTConfiguration?) throws {
        self.settings = settings
        base = file.metadata["modelspec.architecture"] ?? file.metadata["ss_base_model_version"]
        peft = try file.metadata["lora_adapter_metadata"].flatMap {
            JSONObject(json: try JSONValue(parsing: $0.utf8, place: "\(file.path), lora_adapter_metadata"))
        }
    }

    func alpha(of layer: String) -> Double? {
        if let settings { return settings.alpha(of: String(layer.trimmingPrefix("base_model.model."))) }
        let (component, stem) = parts(of: layer)
        let own = peft?["\(component).alpha_pattern"].flatMap(JSONObject.init(json:))?.members
        // A key of the pattern is a layer's name, or the end of one.
        let pattern = own?.names.first { stem == $0 || stem.hasSuffix("." + $0) }
        return (pattern.flatMap { own?[$0] } ?? peft?["\(component).lora_alpha"]).flatMap(Double.init(json:))
    }

    func isRankStabilized(_ layer: String) -> Bool {
        settings?.isRankStabilized ?? false
            || peft?["\(parts(of: layer).component).use_rslora"] == .bool(true)
    }

    private func parts(of layer: String) -> (component: String, stem: String) {
        let component = String(layer.prefix { $0 != "." })
        return (component, String(layer.dropFirst(component.count + 1)))
    }
}

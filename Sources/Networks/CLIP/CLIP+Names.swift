import Checkpoints
import Layers

// Checkpoints before transformers 5 hold `position_ids`, a buffer that says 0, 1, 2, … and nothing else.
// Encoders of texts and pictures are also taken out of checkpoints of the whole CLIP. transformers 5
// leaves out the first part of the names of an encoder without projection.

extension CLIPText {
    /// The name in transformers.
    public static var className: String { "CLIPTextModel" }
    /// How transformers lays it out.
    public static var library: ConfigurationLibrary {
        .transformers(modelType: "clip_text_model", partOfWhole: "text_config")
    }

    /// Names with and without their first part.
    public static var nameMap: NameMap {
        bare("text_model", ["embeddings", "encoder", "final_layer_norm"])
    }

    /// Whether a tensor is no part of the network, though its checkpoint may hold it.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool {
        isPositions(name) || isOfWhole(name, ["vision_model.", "text_projection.", "visual_projection."])
    }
}

extension CLIPTextWithProjection {
    /// The name in transformers.
    public static var className: String { "CLIPTextModelWithProjection" }
    /// How transformers lays it out.
    public static var library: ConfigurationLibrary { CLIPText.library }

    /// Whether a tensor is no part of the network, though its checkpoint may hold it.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool {
        isPositions(name) || isOfWhole(name, ["vision_model.", "visual_projection."])
    }
}

extension CLIPVision {
    /// The name in transformers.
    public static var className: String { "CLIPVisionModel" }
    /// How transformers lays it out.
    public static var library: ConfigurationLibrary {
        .transformers(modelType: "clip_vision_model", partOfWhole: "vision_config")
    }

    /// Names with and without their first part.
    public static var nameMap: NameMap {
        bare("vision_model", ["embeddings", "encoder", "pre_layrnorm", "post_layernorm"])
    }

    /// Whether a tensor is no part of the network, though its checkpoint may hold it.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool {
        isPositions(name) || isOfWhole(name, ["text_model.", "text_projection.", "visual_projection."])
    }

    /// The table of the places of patches, behind that of the picture's own token.
    public static func placeTable(named name: String) -> PlaceTable? { placesOfPatches(name) }
}

extension CLIPVisionWithProjection {
    /// The name in transformers.
    public static var className: String { "CLIPVisionModelWithProjection" }
    /// How transformers lays it out.
    public static var library: ConfigurationLibrary { CLIPVision.library }

    /// Whether a tensor is no part of the network, though its checkpoint may hold it.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool {
        isPositions(name) || isOfWhole(name, ["text_model.", "text_projection."])
    }

    /// The table of the places of patches, behind that of the picture's own token.
    public static func placeTable(named name: String) -> PlaceTable? { placesOfPatches(name) }
}

extension CLIP {
    /// The name in transformers.
    public static var className: String { "CLIPModel" }
    /// How transformers lays it out.
    public static var library: ConfigurationLibrary { .transformers(modelType: "clip") }

    /// Whether a tensor is no part of the network, though its checkpoint may hold it.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool { isPositions(name) }

    /// The table of the places of patches, behind that of the picture's own token.
    public static func placeTable(named name: String) -> PlaceTable? { placesOfPatches(name) }
}

private func placesOfPatches(_ name: String) -> PlaceTable? {
    name == "vision_model.embeddings.position_embedding.weight" ? PlaceTable(leadingRows: 1) : nil
}

private func bare(_ first: String, _ parts: [String]) -> NameMap {
    NameMap(parts.map { ("\($0).*", "\(first).\($0).*") } + [("*", "*")])
}

private func isPositions(_ name: String) -> Bool {
    name == "embeddings.position_ids" || name.hasSuffix(".embeddings.position_ids")
}

private func isOfWhole(_ name: String, _ beginnings: [String]) -> Bool {
    name == "logit_scale" || beginnings.contains { name.hasPrefix($0) }
}

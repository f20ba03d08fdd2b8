import Checkpoints
import Storage
import Tokenizers

extension ModelAdapter {
    /// The file's name without its ending, by which prompts name it.
    var stem: String {
        let name = Files.name(of: path)
        return name.hasSuffix(".safetensors") ? String(name.dropLast(".safetensors".count)) : name
    }

    /// Adapters with the weights that tags in prompts give them (`<lora:name:0.8>`), and those that tags name beside them.
    /// - Parameters:
    ///   - prompts: of all pictures, whose tags are the same.
    ///   - given: adapters by their files. One that a tag names has the tag's weight.
    ///   - folder: where others are looked for.
    /// - Throws: `PipelineError` where there is no adapter of a name, or two weights; `TokenizerError` about a tag.
    public static func named(in prompts: [String], given: [ModelAdapter], folder: String?) throws
        -> [ModelAdapter]
    {
        let tags = try prompts.map { try PromptTag.split($0).tags }
        guard let own = tags.first, tags.allSatisfy({ $0 == own }) else {
            throw PipelineError(
                "the prompts name different adapters, and one model draws all of them: draw them in several calls"
            )
        }
        guard Set(own.map(\.name)).count == own.count else {
            throw PipelineError(
                "the prompt names an adapter twice (\(listed(own.map(\.name)))): name it once")
        }
        var adapters = try given.map { adapter in
            guard let tag = own.first(where: { $0.name == adapter.stem }) else { return adapter }
            guard adapter.weight == 1 || adapter.weight == tag.weight else {
                throw PipelineError(
                    "the weight of \(adapter.path) is \(adapter.weight), and in the prompt \(tag.weight): leave out one of them"
                )
            }
            guard let blocks = tag.blocks else {
                return ModelAdapter(adapter.path, weight: tag.weight, blocks: adapter.blocks)
            }
            guard adapter.blocks == nil || adapter.blocks?.text == blocks else {
                throw PipelineError(
                    "the weights by block of \(adapter.path) are others in the prompt: leave out one of them")
            }
            return ModelAdapter(adapter.path, weight: tag.weight, blocks: try AdapterBlocks(blocks))
        }
        let stems = Set(given.map(\.stem))
        for tag in own where !stems.contains(tag.name) {
            let path = folder.map { "\($0)/\(tag.name).safetensors" }
            // A name is one of a file in the folder, whatever a prompt from elsewhere says.
            guard let path, !tag.name.contains("/"), Files.exists(path) else {
                throw PipelineError(
                    "the prompt names the adapter \(quoted(tag.name)), and there is none of that name: give \(.adapters) its file, or \(.adapterFolder) the folder with \(tag.name).safetensors"
                )
            }
            adapters.append(
                ModelAdapter(path, weight: tag.weight, blocks: try tag.blocks.map { try AdapterBlocks($0) }))
        }
        return adapters
    }
}

extension Request {
    /// Throws where the tags of prompts name adapters that a model was not opened with.
    /// - Parameter adapters: those that it was opened with.
    func checkTags(_ adapters: [Receipt.Adapter]) throws {
        guard weighsWords else { return }
        guard try PromptTag.split(negativePrompt ?? "").tags.isEmpty else {
            throw PipelineError(
                "\(.negativePrompt) names an adapter, which belongs into the prompt: move it there")
        }
        for tag in try (prompts ?? []).flatMap({ try PromptTag.split($0).tags }) {
            let names = [tag.name, tag.name + ".safetensors"]
            guard adapters.contains(where: { names.contains($0.name) && $0.weight == tag.weight }) else {
                throw PipelineError(
                    "the prompt names the adapter \(quoted(tag.name)) at the weight \(tag.weight), and the model was opened without it: give it as one of \(.adapters)"
                )
            }
        }
    }
}

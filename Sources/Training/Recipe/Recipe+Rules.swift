import Diffusion
import Pipelines

/// A combination of keys that must hold in a recipe whose defaults are filled in.
package struct Rule: Sendable {
    /// The key it is about.
    package let path: String
    /// What the key's value has to be, to follow "write".
    let wanted: String
    /// Whether it is so.
    let holds: @Sendable (Recipe) -> Bool

    init(_ path: String, _ wanted: String, _ holds: @escaping @Sendable (Recipe) -> Bool) {
        (self.path, self.wanted, self.holds) = (path, wanted, holds)
    }
}

extension Recipe {
    /// What keys must fulfil together, apart from the network, whose configuration checks itself.
    package static let rules: [Rule] = dataRules + modelRules + processRules + conditioningRules

    private static let dataRules: [Rule] = [
        Rule("data.validation_path", "nothing: data.kind digits has no path") {
            $0.data.validationPath == nil || $0.data.kind.needsPath
        },
        Rule("data.path", "the path of the data, which every data.kind but digits needs") {
            !$0.data.kind.needsPath || $0.data.path?.isEmpty == false
        },
        Rule(
            "data.background",
            "nothing: only picture files (data.kind folder, webdataset) have transparent parts"
        ) {
            $0.data.background == nil || $0.data.kind.hasPictureFiles
        },
        Rule("data.size", "nothing: examples of this data.kind are taken as they are") {
            $0.data.size == nil || $0.data.kind.hasPictures
        },
        Rule("data.downscale", "nothing: examples of this data.kind are taken as they are") {
            $0.data.downscale == nil || $0.data.kind.hasPictures
        },
        Rule(
            "data.degradation",
            "nothing, or a model.low_resolution_factor, whose smaller pictures it makes, and pictures as data"
        ) { recipe in
            recipe.data.degradation == nil
                || recipe.data.kind.hasPictures && recipe.model.autoencoder == nil
                    && recipe.model.network.configuration.traits.enlargement != nil
        },
        Rule("data.channels", "nothing: examples of this data.kind are taken as they are") {
            $0.data.channels == nil || $0.data.kind.hasPictures
        },
        Rule("data.flip", "false: only pictures have a mirror image, and this data.kind has none") {
            !$0.data.flip || $0.data.kind.hasPictures || $0.data.kind.isEncoded
        },
        Rule(
            "data.captions",
            "none or class-names: only data.kind folder, webdataset and latents hold captions"
        ) {
            $0.data.captions != .file || $0.data.kind.holdsCaptions
        },
        Rule("data.caption_columns", "nothing, or data.captions file, which reads them") {
            $0.data.captionColumns.isEmpty || $0.data.captions == .file
        },
        Rule("data.shuffle_buffer", "nothing: only data.kind webdataset has one") {
            $0.data.shuffleBuffer == nil || $0.data.kind.hasShuffleBuffer
        },
        Rule("data.buckets", "nothing: only pictures of data.kind folder and webdataset keep their shapes") {
            $0.data.buckets == nil || $0.data.kind.hasBuckets
        },
        Rule("data.buckets", "a step that is at most data.size, whose square is the area of pictures") {
            $0.data.buckets == nil || $0.data.buckets! <= $0.data.size ?? 0
        },
        Rule("data.bucket_ratio", "nothing, or the step of data.buckets") {
            $0.data.bucketRatio == nil || $0.data.buckets != nil
        },
    ]

    private static let modelRules: [Rule] = [
        Rule("model.autoencoder", "the autoencoder that encoded the latents, which decodes them again") {
            $0.data.kind != .latents || $0.model.autoencoder?.isEmpty == false
        },
        Rule("model.autoencoder", "nothing: only networks that denoise pictures learn latents") { recipe in
            recipe.model.autoencoder == nil
                || recipe.model.kind.denoiser.map { network in
                    let isText = recipe.model.conditioning == .text
                    return Assemblies.trained(network, ModelCard(), isText: isText) != nil
                } ?? false
        },
        Rule("model.clip", "a run of model.kind clip, or a folder of a CLIP, whose embeddings are learnt") {
            $0.model.kind.readsCLIP == .none || $0.model.clip?.isEmpty == false
        },
        Rule("model.clip", "nothing: only unCLIP's priors and decoder learn of its embeddings") {
            $0.model.kind.readsCLIP != .none || $0.model.clip == nil
        },
        Rule("model.autoencoder", "nothing: examples of this data.kind are no pictures") {
            $0.model.autoencoder == nil || $0.data.kind.hasPictures || $0.data.kind == .latents
        },
        Rule("objective.kind", "one that model.kind has: denoising and its kin are of networks that denoise")
        {
            $0.model.kind.objectives.contains($0.objective.kind)
        },
    ]

    private static let processRules: [Rule] = [
        Rule("diffusion.process", "another one than binomial: only data themselves are taken for bits") {
            !$0.diffusion.process.isOfBits || ($0.model.autoencoder == nil && $0.data.kind != .pairs)
        },
        ordered("beta_start", "beta_end"), ordered("beta_min", "beta_max"), ordered("sigma_min", "sigma_max"),
        Rule("objective.beta_max", "a number that is above objective.beta_min") { recipe in
            guard let first = recipe.objective.numbers["beta_min"],
                let last = recipe.objective.numbers["beta_max"]
            else { return true }
            return first < last
        },
        Rule(
            "objective.latent",
            "none, or give it a smaller number: noise must grow all along objective.interpolant"
        ) {
            recipe in
            (try? recipe.diffusion.unpredicted) == nil || (try? recipe.unpredictedProcess) != nil
        },
        Rule(
            "diffusion.prediction",
            "data, v or flow, since no data follow from this one where diffusion.process flow or zero_terminal_snr end in pure noise"
        ) { recipe in
            (try? recipe.unpredictedProcess) == nil || (try? recipe.processDescription) != nil
        },
    ]

    /// Two keys of the process in their order.
    private static func ordered(_ low: String, _ high: String) -> Rule {
        Rule("diffusion.\(high)", "a number that is not below diffusion.\(low)") { recipe in
            guard let first = recipe.diffusion.values[low]?.number,
                let last = recipe.diffusion.values[high]?.number
            else { return true }
            return first <= last
        }
    }

    private static let conditioningRules: [Rule] = [
        Rule("model.conditioning", "another one, or data.captions class-names or file, which give the texts")
        {
            $0.model.conditioning != .text || $0.data.captions != .none
        },
        Rule(
            "model.conditioning",
            "class or none, or model.kind unet2d-condition, efficient-unet, mmdit or glide, which read texts"
        ) {
            $0.model.conditioning != .text || $0.model.kind.conditionings.contains(.text)
        },
        Rule("model.conditioning", "none, or model.kind unet2d: this model.kind knows no classes") {
            $0.model.conditioning != .classes || $0.model.kind.conditionings.contains(.classes)
        },
    ]

    /// The first key whose value cannot be, with what is wrong with it; nil where all is well.
    var problem: (path: String, problem: String)? {
        for key in Self.keys {
            if key.isMisplaced(in: self), let owner = key.owner {
                return (
                    key.path,
                    "is \(key.write(self).shown); leave it out: with \(owner.shown(self)) nothing reads it."
                )
            }
            if !key.holds(self) { return (key.path, "is \(key.write(self).shown); write \(key.wanted).") }
        }
        if let rule = Self.rules.first(where: { !$0.holds(self) }) {
            return (rule.path, "is \(text(at: rule.path)); write \(rule.wanted).")
        }
        return nil
    }

    /// Checks that process and loss have a meaning together.
    /// - Throws: `RecipeError`, a sentence that names both keys.
    func checkObjective() throws {
        do {
            let context = ObjectiveContext(
                try processDescription.process, word: diffusion.process.word,
                hasPairedNoise: data.kind.hasPairedNoise)
            _ = try objective.settings(decodesPixels: true).objective(on: context)
        } catch let error as DiffusionError {
            throw RecipeError("\(error).")
        }
    }
}

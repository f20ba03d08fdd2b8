import Pipelines

/// How the command line spells the fields of requests and of a model's options, which library messages name.
enum FieldSpelling {
    /// Options whose names are not those of the fields.
    private static let options = [
        "classes": "--class", "deepFeatureInterval": "--reuse-deep", "weighsWords": "--prompt-weights",
        "reference": "--image", "takesWholeSteps": "--whole-steps", "aestheticScores": "--aesthetic-score",
        "following": "--then", "truncates": "--truncated",
        "inverts": "--inversion", "interpolation": "--interpolate", "elementType": "--dtype",
        "configurations": "--config", "controls": "--controlnet", "autoencoder": "--vae",
        "imagePrompts": "--ip-adapter", "imagePromptPicture": "--ip-image", "imageEncoder": "--ip-encoder",
        "adapters": "--lora",
        "adapterFolder": "--lora-folder", "hasLiveAdapters": "--lora-live", "embeddings": "--embedding",
        "isStrict": "--strict",
        "usesAverage": "--ema",
        "prompts": "a prompt to 'langevin generate'",
        "memory": "an option that keeps a model small (--text-encoder-int8 and others)",
    ]

    /// How fields are left out that are no options.
    private static let omissions = ["prompts": "use 'langevin sample', which takes no prompt"]

    /// A sentence with the options of its fields.
    static func text(_ sentence: Sentence) -> String {
        sentence.spelled(option, omission: { omissions[$0.name] })
    }

    /// The option of a field: `--denoising-start` of `denoisingStart`.
    static func option(_ field: RequestField) -> String {
        options[field.name]
            ?? "--" + field.name.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
    }
}

/// Says a sentence of the library on standard error.
func say(_ sentence: Sentence) { say(FieldSpelling.text(sentence)) }

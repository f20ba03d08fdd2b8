import Pipelines

/// How the command line spells the fields of requests and of a model's options, which library messages name.
enum FieldSpelling {
    /// Options whose names are not those of the fields.
    private static let options = [
        "classes": "--class", "deepFeatureInterval": "--reuse-deep", "weighsWords": "--prompt-weights",
        "reference": "--image", "takesWholeSteps": "--whole-steps", "aestheticScores": "--aesthetic-score",
        "inverts": "--inversion", "interpolation": "--interpolate", "elementType": "--dtype",
        "configurations": "--config", "isStrict": "--strict", "usesAverage": "--ema",
        "prompts": "a prompt ('langevin generate' takes one, 'langevin sample' none)",
        "memory": "an option that keeps a model small (--text-encoder-int8 and others)",
    ]

    /// The option of a field: `--denoising-start` of `denoisingStart`.
    static func option(_ field: RequestField) -> String {
        options[field.name]
            ?? "--" + field.name.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
    }
}

/// Says a sentence of the library on standard error.
func say(_ sentence: Sentence) { say(sentence.spelled(FieldSpelling.option)) }

import Diffusion
import Layers
import Tensors

/// Everything that a picture was made with, written into it.
public struct Receipt: Codable, Sendable, Equatable {
    /// The version of this program.
    public static let version = "0.1.0"

    /// The program that made the picture.
    public var program = "langevin \(Receipt.version)"
    /// The model's name.
    public var model: String
    /// The sha256 of the file that the denoising network is in; of the digests of all its shards where there are
    /// several, each on a line of its own.
    public var modelHash: String
    /// Every file of weights that was loaded, those of the refiner after the model's own.
    public var weights: [ModelRecord.File]
    /// One sha256 for the configurations and tokenizers that describe the model; absent where the program's own do.
    public var configurationHash: String?
    /// The folder of configurations that was given for a file.
    public var config: String?
    /// The seed of this picture, or of the first one of a sheet.
    public var seed: UInt64
    /// The number of pictures.
    public var count: Int
    /// The solver.
    public var solver: String
    /// The number of steps that the solver was set to; a start in the middle or an early end takes fewer.
    public var steps: Int
    /// The class of diffusers or the kind of process that took the steps.
    public var scheduler: String
    /// The process as an exact model's file has it; absent for networks.
    public var schedule: String?
    /// What the network predicted.
    public var prediction: String
    /// How times were chosen.
    public var grid: String
    /// The solver's η; 0 where it has none.
    public var eta: Double
    /// Classifier-free guidance.
    public var guidance: Double
    /// The method of guidance, where the request named one.
    public var guidanceMethod: String?
    /// Where guidance acted, `σ_lo:σ_hi`.
    public var guidanceInterval: String?
    /// How guidance grew over the steps, where it did.
    public var guidanceSchedule: String?
    /// How much the negative prompt repelled, where the request gave it.
    public var negativeWeight: Double?
    /// The worse model that guidance led away from.
    public var guide: Guide?
    /// The classifier that guidance followed.
    public var classifier: Guide?
    /// The CLIP that guided it.
    public var noisyCLIP: Guide?
    /// S_churn, the noise that was put back before steps, where the request gave it.
    public var churn: Double?
    /// Where it was put back, `σ_lo:σ_hi`.
    public var churnRange: String?
    /// What it was multiplied with.
    public var churnNoise: Double?
    /// Langevin steps at each noise level, where the request gave them.
    public var langevinSteps: Int?
    /// Their signal-to-noise ratio.
    public var signalToNoise: Double?
    /// Where noise was drawn from, where it was not libtorch's generator.
    public var rng: String?
    /// The two seeds between whose noise the pictures lie.
    public var interpolation: Interpolation?
    /// Whether these are not pictures but the noise that leads to one.
    public var inversion: Bool?
    /// The number of steps of unCLIP's prior.
    public var priorSteps: Int?
    /// Its guidance.
    public var priorGuidance: Double?
    /// Embeddings that the prior drew for each picture, of which the closest to the text was kept.
    public var priorCandidates: Int?
    /// Where the embedding that a decoder was given is from, where the request said so.
    public var embedding: Request.Embeddings.Origin?
    /// The model that made embeddings of texts.
    public var prior: String?
    /// The picture to which the way led from the first one.
    public var imageTo: InputFile?
    /// The change of what the picture shows.
    public var textDiff: Request.Embeddings.TextDifference?
    /// How the estimated data were kept in range, where the request said so.
    public var threshold: String?
    /// The number of steps of what enlarged unCLIP's pictures.
    public var upscaleSteps: Int?
    /// The adapters whose changes were in the weights.
    public var loras: [Adapter]?
    /// Whether those of the denoising network were computed beside its weights; the last bits depend on it.
    public var loraLive: Bool?
    /// The files of vectors that words of the prompts stood for.
    public var embeddings: [Embedding]?
    /// The class of each picture.
    public var classes: [Int]?
    /// Pixels.
    public var width: Int
    /// Pixels.
    public var height: Int
    /// The element type of the network's arithmetic.
    public var dtype: String
    /// Where the network ran.
    public var device: String
    /// Threads of one operation, on which the last bits depend.
    public var threads: Int
    /// The most pictures at once, where the request gave it; the last bits depend on it.
    public var batchSize: Int?
    /// Unit noise that was given.
    public var initial: InputFile?
    /// What the pictures began from.
    public var image: InputFile?
    /// The picture that a stage which enlarged began with.
    public var original: InputFile?
    /// Which part of it was made anew.
    public var mask: InputFile?
    /// What their transparent parts were laid on, `#rrggbb`.
    public var background: String?
    /// What the pictures were to show, a line for each where that differs.
    public var prompt: String?
    /// What each of several pictures was to show, where that differs.
    public var prompts: [String]?
    /// What they were not to show, where guidance led away from it.
    public var negativePrompt: String?
    /// Whether prompts were read in the manner of AUTOMATIC1111's web interface, `(word:1.2)` as a weight.
    public var promptWeights: Bool?
    /// How these weights acted, where not as AUTOMATIC1111 has it.
    public var weightNormalization: WeightNormalization?
    /// How far guidance was brought back to the spread of the conditional branch.
    public var guidanceRescale: Double?
    /// Layers of CLIP that were left out.
    public var clipSkip: Int?
    /// The deep layers of the U-Net ran in every so many calls.
    public var deepFeatureInterval: Int?
    /// The share of the steps that were taken from a reference on.
    public var strength: Double?
    /// The time of the noise on the picture that was enlarged, or on its embedding.
    public var noiseLevel: Int?
    /// What the noise of the start was multiplied with, where that is not 1 by the model's own process.
    public var temperature: Double?
    /// How far away what the picture shows is.
    public var depth: InputFile?
    /// The models that went on with the pictures, in their order.
    public var then: [Following]?

    /// The share of the process at which the pictures began.
    public var denoisingStart: Double?
    /// The share of the process at which the model stopped.
    public var denoisingEnd: Double?
    /// Whether these shares fell between steps where a step has two calls of the network.
    public var wholeSteps: Bool?
    /// The model that went on from there.
    public var refiner: Refiner?
    /// The networks that controlled the pictures; the digests of their files are among the weights, as parts 'controlnet' and 'adapter'.
    public var controls: [Control]?
    /// Whether control acted on the conditional branch alone.
    public var guessMode: Bool?
    /// The adapters by which pictures were prompts; the digests of the encoder of pictures are among the weights.
    public var imagePrompts: [ImagePrompt]?
    /// The original size that SDXL was conditioned on, where it was not the picture's own.
    public var originalSize: Request.Size?
    /// The target size that SDXL was conditioned on, where it was not the picture's own.
    public var targetSize: Request.Size?
    /// The corner of the crop that SDXL was conditioned on, where it was not the picture's own.
    public var crop: Crop?
    /// The aesthetic score that SDXL's refiner was conditioned on.
    public var aestheticScore: Double?
    /// How the matrices of text encoders were kept, where that changes pictures.
    public var textEncoderMatrices: MatrixFormat?
    /// How those of the denoising network were kept, where that changes pictures.
    public var networkMatrices: MatrixFormat?
    /// How many heads of attention were computed at once, where not all were; the last bits depend on it.
    public var attentionSlicing: String?
    /// The element type of the autoencoder's arithmetic, where it ran.
    public var vaeDtype: String?
    /// Whether large pictures passed through the autoencoder piece by piece.
    public var vaeTiling: Bool?

    /// The second model of a hand-over.
    public struct Refiner: Codable, Sendable, Equatable {
        /// Its name.
        public var model: String
        /// The sha256 of its denoising network, as that of the first model.
        public var modelHash: String
        /// One sha256 for its configurations and tokenizers.
        public var configurationHash: String?
        /// Its solver.
        public var solver: String
        /// How its times were chosen.
        public var grid: String
        /// Its solver's η.
        public var eta: Double
        /// Its guidance.
        public var guidance: Double
        /// The share of the process at which it began.
        public var start: Double?

        enum CodingKeys: String, CodingKey {
            case model, solver, grid, eta, guidance, start
            case modelHash = "model_hash"
            case configurationHash = "configuration_hash"
        }
    }

    /// A further stage of a cascade.
    public struct Following: Codable, Sendable, Equatable {
        /// Its name.
        public var model: String
        /// The sha256 of its denoising network, as that of the first model.
        public var modelHash: String
        /// One sha256 for its configurations.
        public var configurationHash: String?
        /// Its solver.
        public var solver: String
        /// The number of steps that it was set to.
        public var steps: Int
        /// How its times were chosen.
        public var grid: String
        /// Its solver's η.
        public var eta: Double
        /// Its guidance.
        public var guidance: Double
        /// The time of the noise on the picture that it enlarged.
        public var noiseLevel: Int?
        /// What the noise of its start was multiplied with.
        public var temperature: Double?
        /// Whether the stage before it stopped where that noise is left.
        public var truncated: Bool?
        /// The share of the steps that were taken from the picture that the first model changed; absent where it began with
        /// noise.
        public var strength: Double?

        enum CodingKeys: String, CodingKey {
            case model, solver, steps, grid, eta, guidance, truncated, strength, temperature
            case modelHash = "model_hash"
            case configurationHash = "configuration_hash"
            case noiseLevel = "noise_level"
        }
    }

    /// Another model that had a part in guidance.
    public struct Guide: Codable, Sendable, Equatable {
        /// Its name.
        public var model: String
        /// The sha256 of its network, as that of the model, or of an exact model's file.
        public var modelHash: String

        enum CodingKeys: String, CodingKey {
            case model
            case modelHash = "model_hash"
        }
    }

    /// An adapter.
    public struct Adapter: Codable, Sendable, Equatable {
        /// The file's name.
        public var name: String
        /// What its changes were multiplied with.
        public var weight: Double
        /// How much of that each block had, where they differed.
        public var blocks: String?
        /// The sha256 of the file.
        public var sha256: String
    }

    /// A file of vectors for a word.
    public struct Embedding: Codable, Sendable, Equatable {
        /// The file's name.
        public var name: String
        /// The word.
        public var word: String
        /// The sha256 of the file.
        public var sha256: String
    }

    /// A network that controlled the pictures.
    public struct Control: Codable, Sendable, Equatable {
        /// Its name.
        public var model: String
        /// The picture that it was given.
        public var picture: InputFile?
        /// Whether it is a T2I-Adapter and no ControlNet.
        public var adapter: Bool?
        /// What its control was multiplied with.
        public var scale: Double
        /// The share of the steps before which it added nothing; absent where it began with the first.
        public var start: Double?
        /// The share of the steps after which it added nothing; absent where it ended with the last.
        public var end: Double?
    }

    /// Pictures that were a prompt beside the text.
    public struct ImagePrompt: Codable, Sendable, Equatable {
        /// The name of the IP-Adapter's file.
        public var name: String
        /// What attention to the pictures was multiplied with.
        public var weight: Double
        /// The sha256 of the file.
        public var sha256: String
        /// The pictures.
        public var images: [InputFile]
    }

    /// Noise on the great circle between that of two seeds.
    public struct Interpolation: Codable, Sendable, Equatable {
        /// The seed at 0.
        public var first: UInt64
        /// The seed at 1.
        public var last: UInt64
        /// The place of each picture.
        public var weights: [Double]
    }

    /// A place in a picture, in pixels.
    public struct Crop: Codable, Sendable, Equatable {
        /// From the left.
        public var left: Int
        /// From the top.
        public var top: Int
    }

    enum CodingKeys: String, CodingKey {
        case program, model, weights, config, seed, count, solver, steps, scheduler, prediction, grid, eta
        case guidance, classes, schedule, width, height, dtype, device, threads, initial, image, mask, prompt,
            prompts, strength, then, depth, original, temperature, embedding, prior, threshold
        case priorCandidates = "prior_candidates"
        case imageTo = "image_to"
        case loraLive = "lora_live"
        case textDiff = "text_diff"
        case noiseLevel = "noise_level"
        case refiner, crop, background, guide, classifier, churn, interpolation, inversion, rng, loras,
            embeddings, controls
        case guessMode = "guess_mode"
        case imagePrompts = "ip_adapters"
        case noisyCLIP = "noisy_clip"
        case guidanceMethod = "guidance_method"
        case guidanceInterval = "guidance_interval"
        case guidanceSchedule = "guidance_schedule"
        case negativeWeight = "negative_weight"
        case churnRange = "churn_range"
        case churnNoise = "churn_noise"
        case langevinSteps = "langevin_steps"
        case signalToNoise = "signal_to_noise"
        case priorSteps = "prior_steps"
        case priorGuidance = "prior_guidance"
        case upscaleSteps = "upscale_steps"
        case modelHash = "model_hash"
        case configurationHash = "configuration_hash"
        case batchSize = "batch_size"
        case negativePrompt = "negative_prompt"
        case promptWeights = "prompt_weights"
        case weightNormalization = "weight_normalization"
        case guidanceRescale = "guidance_rescale"
        case clipSkip = "clip_skip"
        case deepFeatureInterval = "deep_feature_interval"
        case denoisingStart = "denoising_start"
        case denoisingEnd = "denoising_end"
        case wholeSteps = "whole_steps"
        case originalSize = "original_size"
        case targetSize = "target_size"
        case aestheticScore = "aesthetic_score"
        case textEncoderMatrices = "text_encoder_matrices"
        case networkMatrices = "network_matrices"
        case attentionSlicing = "attention_slicing"
        case vaeDtype = "vae_dtype"
        case vaeTiling = "vae_tiling"
    }

    /// Whether weights in prompts counted, and how they acted.
    mutating func setWeights(of request: Request) {
        promptWeights = request.weighsWords ? true : nil
        weightNormalization = request.weightNormalization == .a1111 ? nil : request.weightNormalization
    }

    /// The receipt of one picture of several.
    public func picture(_ index: Int) -> Receipt {
        var receipt = self
        if let interpolation {
            receipt.interpolation?.weights = [interpolation.weights[index]]
        } else {
            receipt.seed = seed &+ UInt64(index)
        }
        receipt.count = 1
        receipt.classes = classes.map { [$0[index]] }
        if let prompts { (receipt.prompt, receipt.prompts) = (prompts[index], nil) }
        return receipt
    }
}

import Checkpoints
import Diffusion
import Foundation
import Networks
import Pipelines
import Tensors

/// What a model is: its parts, the layers of its networks, its noise schedule, and the derivation of diffusion models
/// checked in numbers on it.
public struct Explanation: Encodable {
    /// A part of the model.
    public struct Part: Encodable, Sendable {
        /// The name of its folder.
        public var name: String
        /// Its class.
        public var className: String
        /// What it does.
        public var purpose: String
        /// The values of its parameters; absent where it has none.
        public var parameters: Int?

        enum CodingKeys: String, CodingKey {
            case name, purpose, parameters
            case className = "class"
        }
    }

    /// The noise schedule.
    public struct Schedule: Encodable, Sendable {
        /// A time of it.
        public struct Point: Encodable, Sendable {
            /// The time.
            public var time: Double
            /// The share of the data.
            public var alpha: Double
            /// The share of the noise.
            public var sigma: Double

            /// ln(α²/σ²); not finite at the ends of some processes, and absent there.
            public var logSNR: Double? {
                let value = 2 * (log(alpha) - log(sigma))
                return value.isFinite ? value : nil
            }

            enum CodingKeys: String, CodingKey {
                case time, alpha, sigma
                case logSNR = "log_snr"
            }

            /// Writes it with its log-SNR.
            public func encode(to encoder: any Encoder) throws {
                var values = encoder.container(keyedBy: CodingKeys.self)
                try values.encode(time, forKey: .time)
                try values.encode(alpha, forKey: .alpha)
                try values.encode(sigma, forKey: .sigma)
                try values.encodeIfPresent(logSNR, forKey: .logSNR)
            }
        }

        /// The class of diffusers or the kind of the process.
        public var process: String
        /// What the network predicts.
        public var prediction: String
        /// The number of steps of a table; absent where time is continuous.
        public var steps: Int?
        /// Times from the data to the noise.
        public var points: [Point]
    }

    /// The family of the model.
    public var family: String
    /// The values of all parameters.
    public var parameters: Int
    /// The parts.
    public var parts: [Part]
    /// The layers of networks, by the names of parts.
    public var layers: [String: LayerTable] = [:]
    /// The part that denoises; absent where there is none.
    public var denoiser: String?
    /// The schedule; absent where the model says none.
    public var schedule: Schedule?
    /// What the checks were made with.
    public var checkedWith: String?
    /// The derivation.
    public var checks: [DerivationCheck] = []

    enum CodingKeys: String, CodingKey {
        case family, parameters, parts, layers, denoiser, schedule, checks
        case checkedWith = "checked_with"
    }
}

extension Explanation {
    /// Explains a model.
    /// - Parameter path: a run folder, a folder in the diffusers layout, one network's folder, a `.safetensors` file in an
    ///   original layout, or `analytic:FILE.json`.
    /// - Throws: an error of the room that the path belongs to, one sentence.
    public init(_ path: String, _ options: ModelOptions = ModelOptions()) throws {
        switch try Inspection(path) {
        case .analytic(let facts): try self.init(path, facts, options)
        case .model(let model): try self.init(path, model, options)
        case .tensors, .picture:
            throw EvaluationError(
                "\(path) is no model: 'langevin inspect' says what is in a file of tensors or a picture")
        }
    }

    private init(_ path: String, _ facts: AnalyticModel.Facts, _ options: ModelOptions) throws {
        let bare = try Model(path, options).bare()
        family = facts.family
        parameters = 0
        parts = [
            Part(
                name: "mixture", className: facts.kind,
                purpose:
                    "data of \(facts.gaussians) Gaussians in \(facts.dimension) dimensions, whose denoiser is known exactly"
            )
        ]
        schedule = Schedule(bare.process, name: facts.schedule)
        try derive(bare)
    }

    private init(_ path: String, _ model: Inspection.Model, _ options: ModelOptions) throws {
        family = model.family
        parameters = model.parameters
        let denoisers = Set(KnownNetworks.denoising.map { $0.className })
        parts = model.components.sorted { $0.key < $1.key }.map { name, component in
            Part(
                name: name, className: component.className, purpose: Purposes.of(component.className, name),
                parameters: component.parameters)
        }
        denoiser = parts.first { denoisers.contains($0.className) }?.name
        guard model.components["network"] == nil else {
            // One network's folder has no process.
            layers["network"] = try LayerTable(ModelFolder(path).configuration())
            return
        }
        let source = try ModelSource(path, options)
        for name in model.components.keys where model.components[name]?.parameters != nil {
            guard let component = ModelComponent(rawValue: name) else { continue }
            // Sizes of its own: the configuration is not the file's.
            guard model.components[name]?.isPublished != false else { continue }
            layers[name] = try LayerTable(source.configuration(of: component))
        }
        guard model.components["scheduler"] != nil else { return }
        let process = try source.process()
        schedule = Schedule(process, name: process.sampling.name)
        // The derivation is that of Gaussian noise.
        guard !process.isOfBits else { return }
        if let bare = try? Model(source, options).bare() {
            try derive(bare)
        } else {
            try derive(process)
        }
    }

    /// Checks the derivation with the model's own estimates.
    private mutating func derive(_ bare: BareModel) throws {
        let condition: BareModel.Condition = bare.hasUnconditional ? .none : .classes([0, 0])
        let denoiser = try bare.denoiser(condition, count: 2)
        let device = bare.device
        let own = Denoiser { x, level in
            let estimate = denoiser(x.to(device), level)
            return Estimate(
                data: estimate.data.to(.cpu).to(.float64), noise: estimate.noise.to(.cpu).to(.float64))
        }
        checks = try Derivation(bare.process.schedule, shape: bare.sampleShape, denoiser: own).checks()
        checkedWith = "the model's own estimates of two examples"
    }

    /// The same where the network needs more than a sample and a time: with a stand-in for it.
    private mutating func derive(_ process: Diffusion.Process) throws {
        let standIn = Denoiser { x, level in
            let data = (x * 0.5).tanh()
            return Estimate(data: data, noise: x.adding(data, scale: -level.alpha) / level.sigma)
        }
        checks = try Derivation(process.schedule, shape: [4, 4, 4], denoiser: standIn).checks()
        checkedWith = "the estimate tanh(x/2) in place of the network, which needs conditions"
    }
}

extension Explanation.Schedule {
    /// About a hundred times of a process; every time of a short table.
    init(_ process: Diffusion.Process, name: String) {
        let schedule = process.schedule
        let count = (schedule as? DiscreteSchedule)?.count
        let shares = (0...100).map { Double($0) / 100 }
        var times = shares.map { schedule.time(atShare: $0) }
        if let count { times = shares.map { ($0 * Double(count - 1)).rounded() } }
        times = times.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
        self.init(
            process: name, prediction: process.parameterization.output.word, steps: count,
            points: times.map { time in
                let level = schedule.level(at: time)
                return Point(time: time, alpha: level.alpha, sigma: level.sigma)
            })
    }
}

/// What the parts of models do, in a sentence.
private enum Purposes {
    /// The purpose of a class; networks that denoise say it themselves.
    static func of(_ className: String, _ name: String) -> String {
        if let network = KnownNetworks.denoising(named: className) {
            return "\(network.summary); it estimates the data or the noise in a noisy sample"
        }
        if ProcessKind.named(className) != nil { return schedule }
        return rows.first { className.contains($0.mark) }?.purpose ?? "not known here"
    }

    private static let schedule = "the noise schedule, and how it is sampled"

    private static let rows: [(mark: String, purpose: String)] = [
        ("Tokenizer", "turns prompts into numbers"),
        ("AutoencoderTiny", "a small autoencoder between pictures and latents, for previews"),
        ("AutoencoderKL", "the autoencoder between pictures and latents of a Gaussian"),
        ("VQModel", "the autoencoder between pictures and latents of a codebook"),
        ("CLIPVision", "encodes pictures as CLIP does"),
        ("CLIPText", "encodes prompts as CLIP does"), ("CLIPModel", "encodes pictures and texts alike"),
        ("T5", "encodes prompts as T5 does"), ("LDMBert", "encodes prompts as BERT does"),
        ("ClassEmbedder", "the table that turns classes into what the network attends to"),
        ("FeatureExtractor", "prepares pictures for a safety checker"),
        ("ImageProcessor", "prepares pictures for an encoder"),
        ("SafetyChecker", "looks for unwanted pictures; not used here"),
        ("Watermarker", "marks pictures; not used here"),
        ("Scheduler", schedule),
    ]
}

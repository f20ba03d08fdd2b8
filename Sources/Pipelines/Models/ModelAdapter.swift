import Checkpoints
import Storage

/// An adapter of a model: a file with small changes of its weights, and how much of them is wanted.
public struct ModelAdapter: Sendable, Equatable {
    /// The file, `.safetensors` of any dialect, or a folder of PEFT's.
    public let path: String
    /// What the changes are multiplied with; at 0 the model is the same to the last bit.
    public let weight: Double

    /// How much of it is wanted in each block beside that; all alike where `nil`.
    public let blocks: AdapterBlocks?

    /// An adapter as it is, or weaker or stronger.
    public init(_ path: String, weight: Double = 1, blocks: AdapterBlocks? = nil) {
        (self.path, self.weight, self.blocks) = (path, weight, blocks)
    }

    func read() throws -> AdapterFile {
        guard Files.exists(path) else {
            throw PipelineError(
                "there is no adapter '\(path)': give a .safetensors file, or a folder of PEFT's with adapter_model.safetensors"
            )
        }
        return try AdapterFile(path)
    }

    /// What a receipt has of it.
    func record() throws -> Receipt.Adapter {
        let files = try AdapterFile.files(of: path).map { try InputFile($0).sha256 }
        return Receipt.Adapter(
            name: Files.name(of: path), weight: weight, blocks: blocks?.text,
            sha256: files.count == 1 ? files[0] : digest(of: files))
    }

    // MARK: The model that it was made for

    /// What metadata call the models of each family, by how the words begin: kohya's `ss_base_model_version` and
    /// `modelspec.architecture`.
    private static let bases: [(start: String, family: String, name: String)] = [
        ("stable-diffusion-v1", "sd", "Stable Diffusion 1"), ("sd_v1", "sd", "Stable Diffusion 1"),
        ("sd_1", "sd", "Stable Diffusion 1"), ("stable-diffusion-v2", "sd", "Stable Diffusion 2"),
        ("sd_v2", "sd", "Stable Diffusion 2"), ("sd_2", "sd", "Stable Diffusion 2"),
        ("stable-diffusion-xl", "sdxl", "Stable Diffusion XL"), ("sdxl", "sdxl", "Stable Diffusion XL"),
        ("stable-diffusion-3", "sd3", "Stable Diffusion 3"), ("sd3", "sd3", "Stable Diffusion 3"),
    ]

    /// Throws where the file says that it was made for another model.
    func check(base: String?, of source: ModelSource) throws {
        guard let base, !base.isEmpty else { return }
        let family = source.assembly.family
        let known = Self.bases.first { base.lowercased().hasPrefix($0.start) }
        guard try known?.family == family && !isOtherVersion(known?.name, of: source) else {
            let name = known.map { "\($0.name) (\(quoted(base)))" } ?? quoted(base)
            throw PipelineError(
                "\(path) was made for \(name), and \(source.name) is of the family '\(family)': give another adapter"
            )
        }
    }

    /// Stable Diffusion 1 and 2 are one pipeline; their text encoders have different activations.
    private func isOtherVersion(_ name: String?, of source: ModelSource) throws -> Bool {
        guard source.assembly.family == "sd", try source.has(.textEncoder) else { return false }
        let activation: String? = try source.configuration(of: .textEncoder).optional("hidden_act")
        return name != (activation == "gelu" ? "Stable Diffusion 2" : "Stable Diffusion 1")
    }
}

import Checkpoints
import Networks
import Storage

extension ModelLayout {
    /// The parts with weights that lack those of a variant, so that their plain ones are taken.
    /// - Throws: `PipelineError` where no part has the variant.
    func parts(without variant: String) throws -> [String] {
        let index = try index()
        let networks = try index.keys.filter { name in
            guard case .array = index[name], let named = try index.component(name) else { return false }
            return KnownNetworks.network(named: named.className) != nil
        }
        func folder(_ part: String) -> ModelFolder { ModelFolder("\(path)/\(part)") }
        try Self.check(variant, of: networks.map(folder), in: path)
        return networks.filter { !folder($0).hasAny(variant: variant) }
    }

    /// Throws where no folder has weights of a variant.
    static func check(_ variant: String, of folders: [ModelFolder], in path: String) throws {
        guard folders.contains(where: { $0.hasAny(variant: variant) }) else {
            throw PipelineError(
                "\(path): no weights of the variant '\(variant)' are there: leave out \(.variant), or give another"
            )
        }
    }

    /// A sentence about parts that lack a variant.
    static func note(on parts: [String], without variant: String?) -> String {
        "\(parts.joined(separator: ", ")): no weights of the variant '\(variant ?? "")' there, so the plain ones are taken"
    }
}

extension ModelFolder {
    /// Whether it holds the weights of a variant, or the plain ones where `nil`.
    func has(variant: String?) -> Bool {
        ["diffusion_pytorch_model", "model"].map { WeightsFileName(base: $0, variant: variant) }
            .contains { Files.exists("\(path)/\($0.single)") || Files.exists("\(path)/\($0.index)") }
    }

    fileprivate func hasAny(variant: String) -> Bool {
        has(variant: variant) || pickle(variant: variant) != nil
    }

    /// The file of a variant in pickle form, or of the plain weights where `nil`; `nil` where there is none.
    func pickle(variant: String?) -> String? {
        let ending = variant.map { ".\($0).bin" } ?? ".bin"
        return ["diffusion_pytorch_model", "pytorch_model"].map { "\(path)/\($0)\(ending)" }
            .first(where: Files.exists)
    }
}

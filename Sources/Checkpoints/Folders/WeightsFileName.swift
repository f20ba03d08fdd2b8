/// How the files of a network's weights are called in the layouts of diffusers and transformers:
/// `diffusion_pytorch_model[.variant][-00001-of-00003].safetensors` and
/// `diffusion_pytorch_model.safetensors.index[.variant].json`.
public struct WeightsFileName: Sendable, Equatable {
    /// The part that says what kind of network it is: `diffusion_pytorch_model` for the networks of
    /// diffusers, `model` for those of transformers.
    public var base: String
    /// A second set of weights in the same folder, such as `fp16`.
    public var variant: String?

    /// Names files after a base and a variant.
    public init(base: String = "diffusion_pytorch_model", variant: String? = nil) {
        self.base = base
        self.variant = variant
    }

    private var stem: String { variant.map { "\(base).\($0)" } ?? base }

    /// The name of the only file.
    public var single: String { "\(stem).safetensors" }

    /// The name of the index.
    public var index: String { "\(base).safetensors.index\(variant.map { ".\($0)" } ?? "").json" }

    /// The name of a shard, counted from 1.
    public func shard(_ number: Int, of count: Int) -> String {
        "\(stem)-\(fiveDigits(number))-of-\(fiveDigits(count)).safetensors"
    }

    /// Whether `name` is a shard's, of any number of shards.
    func isShard(_ name: String) -> Bool {
        guard name.hasPrefix("\(stem)-"), name.hasSuffix(".safetensors") else { return false }
        let middle = name.dropFirst(stem.count + 1).dropLast(".safetensors".count)
        let parts = middle.split(separator: "-", omittingEmptySubsequences: false)
        let isNumber = { (part: Substring) in
            part.utf8.count >= 5 && part.utf8.allSatisfy { $0.decimalDigit != nil }
        }
        return parts.count == 3 && isNumber(parts[0]) && parts[1] == "of" && isNumber(parts[2])
    }
}

private func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
}

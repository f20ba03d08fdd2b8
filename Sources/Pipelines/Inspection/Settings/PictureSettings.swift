import Storage

/// What a picture was made with, as the texts in its file say, whichever program wrote them.
public struct PictureSettings: Sendable, Equatable {
    /// The program whose form the texts have.
    public var program: String
    /// What it was to show.
    public var prompt: String?
    /// What it was not to show.
    public var negativePrompt: String?
    /// The number of steps.
    public var steps: Int?
    /// The solver, as the program calls it.
    public var sampler: String?
    /// The seed.
    public var seed: UInt64?
    /// The scale of guidance.
    public var guidance: Double?
    /// The model's name.
    public var model: String?
    /// What the program has of the model's digest.
    public var modelHash: String?

    init(program: String) { self.program = program }

    /// Who writes what: each reads the texts of a file by keyword, and is `nil` where they are not its own.
    private static let readers: [@Sendable ([String: String]) -> PictureSettings?] = [
        receipt, automatic1111, comfyUI, invokeAI,
    ]

    /// The settings in the texts of a file; `nil` where no known program left any.
    public init?(texts: [String: String]) {
        guard let found = Self.readers.lazy.compactMap({ $0(texts) }).first else { return nil }
        self = found
    }

    /// The object of a text of JSON; `nil` where it is none.
    static func object(_ text: String?) -> JSONObject? {
        text.flatMap { try? JSONValue(parsing: $0.utf8, place: "", allowsNonFinite: true) }
            .flatMap(JSONObject.init(json:))
    }

    /// A whole number that no negative one can be. Those of 2⁶³ and more are read as the nearest double, so their digits are
    /// looked up in the text.
    static func whole(_ value: JSONValue?, in text: String) -> UInt64? {
        switch value {
        case .integer(let number): return UInt64(exactly: number)
        case .number(let number) where number >= 0x1p63 && number < 0x1p64:
            let runs = text.split(whereSeparator: { !("0"..."9").contains($0) })
            return runs.lazy.compactMap { UInt64($0) }.first { Double($0) == number }
        case .string(let text): return UInt64(text)
        default: return nil
        }
    }

    /// A number as a double.
    static func number(_ value: JSONValue?) -> Double? { value.flatMap(Double.init(json:)) }

    /// A text.
    static func text(_ value: JSONValue?) -> String? { value.flatMap(String.init(json:)) }
}

extension PictureSettings {
    /// This program's own receipt.
    @Sendable static func receipt(_ texts: [String: String]) -> PictureSettings? {
        guard let text = texts["langevin"], let object = object(text), object["solver"] != nil else {
            return nil
        }
        var settings = PictureSettings(program: Self.text(object["program"]) ?? "langevin")
        (settings.prompt, settings.negativePrompt) = (
            Self.text(object["prompt"]), Self.text(object["negative_prompt"])
        )
        settings.steps = whole(object["steps"], in: text).flatMap(Int.init(exactly:))
        (settings.sampler, settings.seed) = (Self.text(object["solver"]), whole(object["seed"], in: text))
        (settings.guidance, settings.model) = (number(object["guidance"]), Self.text(object["model"]))
        settings.modelHash = Self.text(object["model_hash"])
        return settings
    }

    /// InvokeAI: `invokeai_metadata` of its third version and later, `sd-metadata` of the second.
    @Sendable static func invokeAI(_ texts: [String: String]) -> PictureSettings? {
        var settings = PictureSettings(program: "InvokeAI")
        if let text = texts["invokeai_metadata"], let object = object(text) {
            (settings.prompt, settings.negativePrompt) = (
                Self.text(object["positive_prompt"]), Self.text(object["negative_prompt"])
            )
            settings.steps = whole(object["steps"], in: text).flatMap(Int.init(exactly:))
            (settings.sampler, settings.seed) = (
                Self.text(object["scheduler"]), whole(object["seed"], in: text)
            )
            settings.guidance = number(object["cfg_scale"])
            let model = object["model"].flatMap(JSONObject.init(json:))
            settings.model = Self.text(model?["name"]) ?? Self.text(model?["model_name"])
            settings.modelHash = Self.text(model?["hash"])
            return settings
        }
        guard let text = texts["sd-metadata"], let object = object(text),
            let image = object["image"].flatMap(JSONObject.init(json:))
        else { return nil }
        let parts = image["prompt"].flatMap([JSONObject].init(json:))
        settings.prompt =
            Self.text(image["prompt"]) ?? parts?.compactMap { Self.text($0["prompt"]) }.joined(separator: " ")
        settings.steps = whole(image["steps"], in: text).flatMap(Int.init(exactly:))
        (settings.sampler, settings.seed) = (Self.text(image["sampler"]), whole(image["seed"], in: text))
        settings.guidance = number(image["cfg_scale"])
        (settings.model, settings.modelHash) = (
            Self.text(object["model_weights"]), Self.text(object["model_hash"])
        )
        return settings
    }
}

import Storage

// The file form: an object whose `kind` names the process, beside its keys and what else is known of it.

extension ProcessDescription: Codable, Equatable {
    /// A key of the file.
    struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init(stringValue name: String) { stringValue = name }
        init?(intValue: Int) { nil }
    }

    /// Reads the file form; a key that is left out has the value that is usual.
    /// - Throws: `DiffusionError` where the kind or a key is not known, or a value will not do.
    public init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        guard let word = try? object.decode(String.self, forKey: Key("kind")) else {
            throw DiffusionError("the schedule's 'kind' must be a word such as 'edm'")
        }
        var (values, prediction): ([String: ProcessValue], String?) = ([:], nil)
        func path(_ name: String) throws -> WordChoice? {
            try object.decodeIfPresent(WordChoice.self, forKey: Key(name))
        }
        for key in object.allKeys where !["kind", "interpolant", "latent"].contains(key.stringValue) {
            guard let value = try? object.decode(ProcessValue.self, forKey: key) else {
                throw DiffusionError("the schedule's \(quoted(key.stringValue)) must be a number or a word")
            }
            if key.stringValue == "prediction" {
                guard let word = value.word else {
                    throw DiffusionError("the schedule's 'prediction' must be a word such as 'noise'")
                }
                prediction = word
            } else {
                values[key.stringValue] = value
            }
        }
        try self.init(
            word, values, prediction: prediction, interpolant: path("interpolant"), latent: path("latent"))
    }

    /// Writes the file form.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(kind.word, forKey: Key("kind"))
        for (name, _) in kind.keys { try object.encode(self[name], forKey: Key(name)) }
        try object.encodeIfPresent(prediction, forKey: Key("prediction"))
        try object.encodeIfPresent(interpolant, forKey: Key("interpolant"))
        try object.encodeIfPresent(latent, forKey: Key("latent"))
    }

    /// The same kind with the same values.
    public static func == (left: Self, right: Self) -> Bool {
        left.kind.word == right.kind.word && left.values == right.values
            && left.prediction == right.prediction && left.interpolant == right.interpolant
            && left.latent == right.latent
    }
}

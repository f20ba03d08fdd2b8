import Storage

/// The files of a tokenizer's folder, as any version of transformers writes them: on a disk, or in memory.
struct TokenizerFolder {
    /// Far above real files (T5's has 2.4 MB), and small enough that reading a hostile one stays harmless.
    private static let maximalByteCount = 32 << 20

    /// The folder.
    let path: String
    /// `tokenizer_config.json`; no keys where there is none.
    let configuration: JSONObject
    /// The files where they are in memory.
    private let files: [String: [UInt8]]?

    /// Opens a folder.
    /// - Throws: `TokenizerError` where there is no such folder or its configuration asks for what is not done here.
    init(_ path: String) throws {
        guard Files.isFolder(path) else {
            throw TokenizerError(path, "there is no such folder; give the model's tokenizer folder")
        }
        try self.init(path, files: nil)
    }

    /// The files of a folder in memory, by name.
    /// - Throws: `TokenizerError` where their configuration asks for what is not done here.
    init(files: [String: [UInt8]], place: String) throws { try self.init(place, files: files) }

    private init(_ path: String, files: [String: [UInt8]]?) throws {
        (self.path, self.files) = (path, files)
        let name = "tokenizer_config.json"
        let place = "\(path)/\(name)"
        configuration =
            try Self.object(Self.bytes(name, path, files), place: place) ?? JSONObject(place: place)
        for (key, usual) in [("padding_side", "right"), ("truncation_side", "right")] {
            let side: String = try read { try configuration.optional(key) ?? usual }
            guard side == usual else {
                throw TokenizerError(
                    place, "\"\(key)\" is \(quoted(side)), but only \"\(usual)\" is done here")
            }
        }
        guard try read({ try configuration.optional("split_special_tokens") ?? false }) == false else {
            throw TokenizerError(place, "\"split_special_tokens\" is true, but only false is done here")
        }
    }

    /// Where a file of the folder is.
    func place(_ name: String) -> String { "\(path)/\(name)" }

    /// A JSON file whose value is an object, nil where there is none of that name.
    func object(_ name: String) throws -> JSONObject? {
        try Self.object(bytes(name), place: place(name))
    }

    /// The bytes of a file, nil where there is none of that name.
    func bytes(_ name: String) throws -> [UInt8]? { try Self.bytes(name, path, files) }

    private static func bytes(_ name: String, _ folder: String, _ files: [String: [UInt8]]?) throws
        -> [UInt8]?
    {
        if let files { return files[name] }
        let path = "\(folder)/\(name)"
        guard Files.exists(path) else { return nil }
        let bytes = try Files.read(path, atMost: maximalByteCount)
        if let other = mistakenFile(bytes) { throw TokenizerError(path, other) }
        return bytes
    }

    private static func object(_ bytes: [UInt8]?, place: String) throws -> JSONObject? {
        guard let bytes else { return nil }
        return try read {
            guard let object = JSONObject(json: try JSONValue(parsing: bytes, place: place)) else {
                throw TokenizerError(place, "it must hold a JSON object")
            }
            return object
        }
    }

    /// `model_max_length`, nil where it is missing or says that there is no limit.
    func length() throws -> Int? {
        let key = "model_max_length"
        // Without a limit transformers writes the integer that is nearest to 1e30.
        guard let length: Double = try read({ try configuration.optional(key) }), length < 1e9 else {
            return nil
        }
        guard let count = Int(exactly: length), count >= 2 else {
            throw TokenizerError(
                configuration.place, "\"\(key)\" must be an integer above 1, it is \(length)")
        }
        return count
    }
}

/// Runs a body whose errors from the reader of JSON become this room's.
func read<Value>(_ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as ContentError {
        throw TokenizerError(error.place, error.problem)
    }
}

import Storage

/// The tokens that a folder names or adds, gathered from its files as transformers 5 does it: what
/// `tokenizer_config.json` lists under `added_tokens_decoder`, or else the older files.
struct SpecialTokens {
    /// The names that tokens can have, in the order in which they are added.
    static let names = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]

    /// The tokens with names, such as "pad".
    private(set) var named: [String: AddedToken]
    /// Tokens listed with their ids, by id.
    var listed: [(id: Int, token: AddedToken)] {
        tokensByID.sorted { $0.key < $1.key }.map { (id: $0.key, token: $0.value) }
    }
    private var tokensByID: [Int: AddedToken] = [:]
    /// Further tokens, nil where no file has a list of them.
    private(set) var further: [AddedToken]?

    /// Reads the files of a folder.
    /// - Parameters:
    ///   - usual: the names that the tokenizer's class has by itself.
    ///   - model: `tokenizer.json`, where there is one.
    init(_ folder: TokenizerFolder, usual: [String: String], model: JSONObject?) throws {
        named = usual.mapValues { AddedToken($0) }
        let configuration = folder.configuration
        var mentioned = Set<String>()
        try readNames(of: configuration, &mentioned)
        for key in ["extra_special_tokens", "additional_special_tokens"] where further == nil {
            try readFurther(of: configuration, key)
        }
        if let decoder: JSONObject = try read({ try configuration.optional("added_tokens_decoder") }) {
            try readDecoder(decoder, place: configuration.place)
        } else {
            try readOlderFiles(folder, model, &mentioned)
        }
        let listed = self.listed
        for name in mentioned {
            guard let content = named[name]?.content else { continue }
            if let entry = listed.last(where: { $0.token.hasSameContent(content) }) {
                named[name] = entry.token
            }
        }
    }

    private mutating func readOlderFiles(
        _ folder: TokenizerFolder, _ model: JSONObject?, _ mentioned: inout Set<String>
    ) throws {
        if let map = try folder.object("special_tokens_map.json") {
            try readNames(of: map, isSpecial: true, &mentioned)
            if further == nil { try readFurther(of: map, "additional_special_tokens") }
        }
        if let added = try folder.object("added_tokens.json") {
            let special = Set((named.values + (further ?? [])).map { Array($0.content.utf8) })
            for (content, value) in added.members {
                guard let id = Int(json: value) else {
                    throw TokenizerError(added.place, "the id of \(quoted(content)) must be an integer")
                }
                var token = AddedToken(content)
                token.isNormalized = !special.contains(Array(content.utf8))
                list(token, id)
            }
        }
        let tokens: [JSONObject] =
            try model.map { model in
                try read { try model.optional("added_tokens") ?? [] }
            } ?? []
        for object in tokens {
            let place = folder.place("tokenizer.json")
            list(try AddedToken(.object(object), place: place), try read { try object.required("id") })
        }
    }

    private mutating func readNames(
        of object: JSONObject, isSpecial: Bool = false, _ mentioned: inout Set<String>
    ) throws {
        for name in Self.names {
            guard let value = object["\(name)_token"] else { continue }
            mentioned.insert(name)
            named[name] =
                value == .null
                ? nil : try AddedToken(value, isSpecial: isSpecial, place: object.place)
        }
    }

    private mutating func readFurther(of object: JSONObject, _ key: String) throws {
        guard let values: [JSONValue] = try read({ try object.optional(key) }), !values.isEmpty else {
            return
        }
        further = try values.map { value in try AddedToken(value, place: object.place) }
    }

    private mutating func readDecoder(_ decoder: JSONObject, place: String) throws {
        for (key, value) in decoder.members {
            guard let id = Int(key), id >= 0 else {
                throw TokenizerError(
                    place, "\"added_tokens_decoder\" has the key \(quoted(key)), which is no id")
            }
            list(try AddedToken(value, place: place), id)
        }
    }

    private mutating func list(_ token: AddedToken, _ id: Int) {
        tokensByID[id] = token
    }
}

/// What finds added tokens in a text: some in the text as it was written, some in what cleaning makes of it.
struct AddedTokenFinders: Sendable {
    var raw = AddedTokenFinder()
    var cleaned = AddedTokenFinder()
    /// The texts of tokens that stand for several vectors, and what takes their place: `<cat>` and, where they are
    /// tokens too, `<cat>_1`, `<cat>_2`, …
    private(set) var widened: [Int: (token: String, replacement: String)] = [:]

    /// Finds the tokens that stand for several vectors among all added ones.
    mutating func widen(_ tokens: [Int: AddedToken]) {
        var known = NameTable<Void>()
        for token in tokens.values { known.append(token.content, ()) }
        for (id, token) in tokens where known.position(of: "\(token.content)_1") != nil {
            var vectors = [token.content]
            // Far above what a prompt has places for, and no memory for a hostile folder to take.
            while vectors.count < 1000, known.position(of: "\(token.content)_\(vectors.count)") != nil {
                vectors.append("\(token.content)_\(vectors.count)")
            }
            widened[id] = (token.content, vectors.joined(separator: " "))
        }
    }

    /// The tokens of a text.
    /// - Parameters:
    ///   - clean: what is done to every piece of the text that is no token.
    ///   - model: the tokens of a piece of cleaned text.
    func tokens(of text: String, clean: (String) -> String, model: (String, inout [Int]) -> Void) -> [Int] {
        var tokens: [Int] = []
        for part in raw.parts(of: text) {
            switch part {
            case .token(let id): tokens.append(id)
            case .text(let text):
                for part in cleaned.parts(of: clean(text)) {
                    switch part {
                    case .token(let id): tokens.append(id)
                    case .text(let text): model(text, &tokens)
                    }
                }
            }
        }
        return tokens
    }
}

extension SpecialTokens {
    /// Adds every token to the vocabulary, those that it lacks at its end, and makes what finds them.
    /// - Parameters:
    ///   - more: tokens that the tokenizer's class adds by itself.
    ///   - required: the names whose tokens the vocabulary must know without that.
    ///   - clean: what is done to texts.
    func finders(
        adding more: [AddedToken] = [], to vocabulary: inout Vocabulary, required: [String], place: String,
        clean: (String) -> String
    ) throws -> AddedTokenFinders {
        // Of several entries with the same text, the last one's flags count.
        var last: [Int: AddedToken] = [:]
        for (id, token) in listed {
            let actual = vocabulary.idAppending(token.content)
            guard actual == id else {
                throw TokenizerError(
                    place,
                    "the added token \(quoted(token.content)) is listed with the id \(id), but it gets \(actual)"
                )
            }
            last[id] = token
        }
        for name in required { _ = try id(name, in: vocabulary, place: place) }
        let known = Set(listed.map(\.id))
        for token in Self.names.compactMap({ named[$0] }) + (further ?? []) + more {
            let id = vocabulary.idAppending(token.content)
            if !known.contains(id) { last[id] = token }
        }
        var finders = AddedTokenFinders()
        finders.widen(last)
        for (id, token) in last {
            if token.isNormalized {
                finders.cleaned.insert(token, id: id, pattern: clean(token.content))
            } else {
                finders.raw.insert(token, id: id, pattern: token.content)
            }
        }
        return finders
    }

    /// The id of a token with a name.
    /// - Throws: `TokenizerError` where the folder has no such token or the vocabulary does not know it.
    func id(_ name: String, in vocabulary: Vocabulary, place: String) throws -> Int {
        guard let token = named[name] else {
            throw TokenizerError(place, "it has no \"\(name)_token\"; add it to tokenizer_config.json")
        }
        guard let id = vocabulary.id(of: token.content) else {
            throw TokenizerError(
                place, "its \"\(name)_token\" \(quoted(token.content)) is not in the vocabulary")
        }
        return id
    }
}

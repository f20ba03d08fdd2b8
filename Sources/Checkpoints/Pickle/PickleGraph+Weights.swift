import Storage

extension PickleGraph {
    /// The tensors that a checkpoint is about, and what else it holds.
    ///
    /// Training programs wrap weights: `{"state_dict": {…}, "epoch": 3, …}` (Lightning),
    /// `{"model": {…}, "ema": {…}, "opt": {…}}`, or nothing around them.
    /// - Throws: `CheckpointError` where several sets of weights could be meant.
    func weights(
        _ value: PickleValue, entry: String?, place: String
    ) throws -> (tensors: NameTable<Int>, skipped: [String]) {
        guard case .dictionary(var root) = value else {
            throw CheckpointError(place, "it holds \(value.kind), and no tensors by name")
        }
        var path = ""
        var skipped: [String] = []
        var word: String?
        func enter(_ key: String) throws {
            guard let inner = try dictionary(key, in: root, place) else {
                throw CheckpointError(
                    place, "it holds no dictionary \(quoted(key)), but \(listed(keys(of: root)))")
            }
            skipped += others(in: root, path, but: key)
            (root, path) = (inner, path + key + ".")
        }
        if let entry { try enter(entry) }
        var depth = 0
        while try dictionary("state_dict", in: root, place) != nil {
            depth += 1
            guard depth <= 8 else { throw CheckpointError(place, "its state_dict holds itself") }
            try enter("state_dict")
        }
        if !holdsTensors(root) {
            let candidates = dictionaries[root].compactMap { key, value -> String? in
                guard case .text(let name) = key, case .dictionary(let inner) = value, holdsTensors(inner)
                else {
                    return nil
                }
                return name
            }
            guard let only = candidates.first else { throw CheckpointError(place, "it holds no tensors") }
            if Self.isImageAdapter(candidates) {
                return try collect(parts: candidates, of: root, path, skipped, place)
            }
            guard candidates.count == 1 else {
                throw CheckpointError(
                    place, "it holds several sets of weights: say which of \(listed(candidates))")
            }
            // A1111's vectors of a word (textual inversion) are kept apart from it.
            if sameBytes(only, "string_to_param") { word = text("name", in: root) }
            try enter(only)
        }
        return try collect(root, path, skipped, place, calling: word)
    }

    /// Whether these are the two parts of an IP-Adapter, which is one set of weights: what it has in other files is named by them.
    private static func isImageAdapter(_ names: [String]) -> Bool {
        names.count == 2
            && ["image_proj", "ip_adapter"].allSatisfy { name in names.contains { sameBytes($0, name) } }
    }

    /// The tensors of several dictionaries in another one, each under the name of its own.
    private func collect(
        parts: [String], of root: Int, _ path: String, _ skipped: [String], _ place: String
    ) throws -> (NameTable<Int>, [String]) {
        var tensors = NameTable<Int>()
        var skipped = skipped
        for (key, value) in dictionaries[root] {
            guard case .text(let part) = key, case .dictionary(let inner) = value,
                parts.contains(where: { sameBytes($0, part) })
            else {
                skipped.append(described(path, key, value))
                continue
            }
            let (own, others) = try collect(inner, "\(path)\(part).", [], place, calling: nil)
            for (name, index) in own {
                guard tensors.append("\(part).\(name)", index) else {
                    throw CheckpointError(place, "the tensor \(quoted(part + "." + name)) stands twice in it")
                }
            }
            skipped += others
        }
        return (tensors, skipped)
    }

    private func collect(
        _ root: Int, _ path: String, _ skipped: [String], _ place: String, calling word: String?
    ) throws -> (NameTable<Int>, [String]) {
        var tensors = NameTable<Int>()
        var skipped = skipped
        for (key, value) in dictionaries[root] {
            guard case .text(let name) = key, case .tensor(let index) = value else {
                skipped.append(described(path, key, value))
                continue
            }
            guard tensors.append(sameBytes(name, "*") ? word ?? name : name, index) else {
                throw CheckpointError(place, "the tensor \(quoted(name)) stands twice in it")
            }
        }
        return (tensors, skipped)
    }

    private func holdsTensors(_ index: Int) -> Bool {
        dictionaries[index].contains { key, value in
            if case .text = key, case .tensor = value { true } else { false }
        }
    }

    /// The dictionary under a key of another one.
    private func dictionary(_ key: String, in root: Int, _ place: String) throws -> Int? {
        let found = dictionaries[root].compactMap { name, value -> Int? in
            guard case .text(let text) = name, sameBytes(text, key), case .dictionary(let index) = value
            else {
                return nil
            }
            return index
        }
        guard found.count <= 1 else { throw CheckpointError(place, "\(quoted(key)) stands twice in it") }
        return found.first
    }

    /// The text under a key of a dictionary, `nil` where there is none.
    private func text(_ key: String, in root: Int) -> String? {
        dictionaries[root].lazy.compactMap { name, value -> String? in
            guard case .text(let text) = name, sameBytes(text, key), case .text(let found) = value else {
                return nil
            }
            return found
        }.first
    }

    private func keys(of root: Int) -> [String] {
        dictionaries[root].compactMap { key, _ in
            guard case .text(let name) = key else { return nil }
            return name
        }
    }

    private func others(in root: Int, _ path: String, but taken: String) -> [String] {
        dictionaries[root].compactMap { key, value in
            if case .text(let name) = key, sameBytes(name, taken) { return nil }
            return described(path, key, value)
        }
    }

    private func described(_ path: String, _ key: PickleValue, _ value: PickleValue) -> String {
        guard case .text(let name) = key else { return "\(path)[\(key.kind)]: \(value.kind)" }
        return "\(path)\(name): \(value.kind)"
    }
}

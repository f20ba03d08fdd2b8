import Storage

extension JSONObject {
    /// Checks that a `tokenizer.json` puts the tokens around a text that its tokenizer's class puts there.
    /// - Throws: `TokenizerError` where it puts others there.
    func checkEnds(start: Int?, end: Int) throws {
        let found: (start: Int?, end: Int?)? = try read {
            guard let processor: JSONObject = try optional("post_processor") else { return (nil, nil) }
            switch try processor.required("type", as: String.self) {
            case "RobertaProcessing":
                return (try processor.idOfPair("cls"), try processor.idOfPair("sep"))
            case "TemplateProcessing": return try processor.endsOfTemplate()
            default: return nil
            }
        }
        guard let found, found.start == start, found.end == end else {
            throw TokenizerError(
                place,
                "its \"post_processor\" puts other tokens around a text than this tokenizer's class does")
        }
    }

    /// The id in `["</s>", 1]`.
    private func idOfPair(_ key: String) throws -> Int? {
        try required(key, as: [JSONValue].self).last.flatMap { Int(json: $0) }
    }

    /// What a template puts before and after its text, nil where that is not at most one token each.
    private func endsOfTemplate() throws -> (start: Int?, end: Int?)? {
        let items: [JSONObject] = try required("single")
        let tokens: JSONObject = try required("special_tokens")
        guard let text = items.firstIndex(where: { $0["Sequence"] != nil }) else { return nil }
        let ids = try items.map { item -> Int? in
            guard let name: String = try item.optional("SpecialToken", as: JSONObject.self)?.required("id")
            else {
                return nil
            }
            return try tokens.required(name, as: JSONObject.self).required("ids", as: [Int].self).first
        }
        guard text <= 1, items.count - text <= 2 else { return nil }
        return (text == 0 ? nil : ids[0], text == items.count - 1 ? nil : ids[text + 1])
    }
}

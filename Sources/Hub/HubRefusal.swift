import Storage

/// An answer that is no success, in a sentence.
struct HubRefusal {
    let error: HubError
    /// Whether the hub says that the commit has no such file.
    let isOfMissingFile: Bool

    /// `nil` where the answer is a success.
    init?(_ answer: HubAnswer, _ model: HubReference, _ file: String?, _ settings: HubSettings) {
        let status = answer.last.status
        guard !(200..<300).contains(status) else { return nil }
        let wanted = file.map { "\(printable($0)) of \(model.name)" } ?? model.name
        let page = "\(settings.endpoint.absoluteString)/\(model.name)"
        let code = answer["X-Error-Code"] ?? ""
        let right = settings.token == nil ? "set HF_TOKEN to a token of yours" : "check HF_TOKEN"
        isOfMissingFile = status == 404 && file != nil && ["", "EntryNotFound"].contains(code)
        error =
            switch (status, code) {
            case (_, "GatedRepo"):
                .input(
                    "\(model.name) is gated: accept its conditions at \(page), and \(right)")
            case (_, "RevisionNotFound"):
                .input("\(model.name) has no revision \(quoted(model.revision)): see \(page)/tree/main")
            case (_, "RepoNotFound") where status == 404 || settings.token == nil:
                .input(
                    "there is no model \(model.name) at \(settings.hub), or none for everybody: check the name, and where it is private \(right)"
                ).ofUnknownModel
            case (404, _) where file != nil:
                .input("\(settings.hub) lists \(wanted) and does not have it: give another revision")
            case (404, _):
                .input("there is no model \(model.name) at \(settings.hub): check the name and the revision")
                    .ofUnknownModel
            case (401, _) where settings.token != nil:
                .input("\(settings.hub) does not accept the token for \(wanted): \(right)")
            case (401, _), (403, _):
                .input(
                    "\(settings.hub) gives \(wanted) only to those with access: ask for it at \(page), and \(right)"
                )
            default:
                .failure(
                    "\(settings.hub) answered with the status \(status) for \(wanted)\(Self.reason(answer, settings)): try again later"
                )
            }
    }

    /// What the hub adds, in brackets.
    private static func reason(_ answer: HubAnswer, _ settings: HubSettings) -> String {
        answer["X-Error-Message"].map { " (\(quoted(settings.withoutToken($0))))" } ?? ""
    }
}

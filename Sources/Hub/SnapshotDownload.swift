import Storage

/// Files of a commit on their way into the cache.
struct SnapshotDownload {
    let client: HubClient
    let cache: HubCache
    let model: HubReference
    let commit: String
    let onProgress: (HubProgress) -> Void
    let onMessage: (String) -> Void

    /// Sees to it that files are in the cache, after their sizes and the room for them are known.
    /// - Throws: `HubError`, `FileError`.
    func run(_ names: [String]) throws {
        try check(names)
        let missing = names.filter { !cache.has($0, commit, model.name) }
        guard !missing.isEmpty else { return }
        let facts = try missing.map(facts)
        // Two names of the same bytes are one blob.
        let sizes = Dictionary(facts.map { ($0.tag, $0.byteCount ?? 0) }) { first, _ in first }
        var there = sizes.reduce(into: [String: Int]()) { there, row in
            let isThere = cache.hasBlob(row.key, model.name, byteCount: nil)
            let blob = cache.blob(row.key, model.name)
            there[row.key] = isThere ? row.value : UnfinishedBlob.byteCount(of: blob)
        }
        let (total, first) = (sizes.values.reduce(0, +), there.values.reduce(0, +))
        try checkRoom(for: total - first)
        for (name, facts) in zip(missing, facts) {
            try BlobDownload(
                client: client, cache: cache, model: model, commit: commit, file: name, facts: facts,
                onProgress: { byteCount in
                    there[facts.tag] = byteCount
                    onProgress(
                        HubProgress(byteCount: there.values.reduce(0, +), total: total, first: first))
                }, onMessage: onMessage
            ).run()
        }
    }

    private func facts(_ name: String) throws -> HubClient.FileFacts {
        try client.repeating("\(printable(name)) of \(model.name)") {
            do {
                return try client.facts(name, model, commit: commit)
            } catch let missing as HubClient.MissingFile {
                cache.setMissing(name, commit, model.name)
                throw missing.error
            }
        }
    }

    /// Throws where a file can be none on every system, or two are one where letters' cases are not told apart.
    private func check(_ names: [String]) throws(HubError) {
        let folded = Dictionary(grouping: names) { $0.lowercased() }
        if let same = folded.values.first(where: { $0.count > 1 }) {
            throw .input(
                "\(model.name): \(listed(same)) are one file on some systems: give another model")
        }
        for name in names where !ModelFiles.isSafe(name) {
            throw .input("\(model.name): \(quoted(name)) can be no file's name: give another model")
        }
    }

    /// Throws before anything is fetched that the disk has no room for.
    private func checkRoom(for byteCount: Int) throws {
        try Files.createFolder("\(cache.folder(model.name))/blobs")
        guard let free = cache.freeByteCount(model.name), byteCount > free else { return }
        throw HubError.failure(
            "\(model.name) needs \(byteText(byteCount)) more, and the disk of the cache \(printable(cache.path)) has room for \(byteText(free)): make room, or set HF_HUB_CACHE to another place"
        )
    }
}

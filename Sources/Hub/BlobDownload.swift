import Storage

/// One file on its way into the cache: from where the last run stopped, checked before it has its name, by one process at
/// a time.
struct BlobDownload {
    let client: HubClient
    let cache: HubCache
    let model: HubReference
    let commit: String
    let file: String
    let facts: HubClient.FileFacts
    /// Called with the number of the file's bytes that are there.
    let onProgress: (Int) -> Void
    let onMessage: (String) -> Void

    /// Puts the file into the cache and gives it its name in the snapshot.
    /// - Throws: `HubError`, `FileError`.
    func run() throws {
        let blob = cache.blob(facts.tag, model.name)
        try Files.createFolder(Files.parent(of: blob))
        try Files.createFolder(cache.locks(model.name))
        let lock = try FileLock.taken("\(cache.locks(model.name))/\(facts.tag).lock") {
            onMessage("\(printable(file)) of \(model.name) is on its way by another process: waiting for it")
        }
        try withExtendedLifetime(lock) {
            if !cache.hasBlob(facts.tag, model.name, byteCount: size) { try fetch(blob) }
            try cache.link(file, to: facts.tag, commit, model.name)
        }
    }

    private func fetch(_ blob: String) throws {
        let unfinished = try UnfinishedBlob(of: blob)
        if let size, unfinished.byteCount > size { try unfinished.empty() }
        var isFromBefore = unfinished.byteCount > 0
        while true {
            try receive(unfinished)
            guard let problem = try problem(unfinished) else { return try unfinished.commit() }
            guard isFromBefore else {
                unfinished.remove()
                throw HubError.failure(
                    "\(place) arrived damaged: \(problem); it was removed, try again, and check whether a proxy stands between"
                )
            }
            // The earlier part may be what is damaged.
            try unfinished.empty()
            isFromBefore = false
        }
    }

    /// What is wrong with a file that is there as a whole; `nil` where nothing is. A digest says more than a size, which
    /// servers get wrong.
    private func problem(_ unfinished: UnfinishedBlob) throws -> String? {
        if let digest = ContentDigest(tag: facts.tag) {
            return try unfinished.fits(digest)
                ? nil : "its \(digest.name) is not the one that \(client.settings.hub) names"
        }
        guard let size, size != unfinished.byteCount else { return nil }
        return "it has \(unfinished.byteCount) bytes and should have \(size)"
    }

    // MARK: Transfers

    /// Repeats transfers until all bytes are there.
    private func receive(_ unfinished: UnfinishedBlob) throws {
        var repetition = Repetition(client.settings)
        while size == nil || unfinished.byteCount != size {
            var (reason, wish): (String, Double?)
            do {
                if try transfer(unfinished) { return }
                (reason, wish) = ("the connection was cut", nil)
            } catch let failure as TransferFailure where failure.isPassing {
                (reason, wish) = (failure.reason, nil)
            } catch let failure as TransferFailure {
                throw HubError.failure("\(place): \(failure.reason)")
            } catch let missing as HubClient.MissingFile {
                throw missing.error
            } catch let answer as HubClient.PassingAnswer {
                (reason, wish) = (
                    "\(client.settings.hub) answers with the status \(answer.head.status)",
                    answer.head.retryAfter()
                )
            }
            guard repetition.waits(having: unfinished.byteCount, wish: wish) else {
                let rest =
                    unfinished.byteCount > 0
                    ? "; \(unfinished.byteCount) bytes are here, and the same command goes on from there"
                    : ": check the connection"
                throw HubError.failure("\(place): \(reason), also when it was tried again\(rest)")
            }
        }
        onProgress(unfinished.byteCount)
    }

    /// One transfer from where the file stops.
    /// - Returns: whether the file is whole, as far as its size is known.
    private func transfer(_ unfinished: UnfinishedBlob) throws -> Bool {
        let start = unfinished.byteCount
        var isWhole = false
        try client.download(file, model, commit: commit, from: start) { head in
            if head.status == 416 {
                isWhole = try isEnd(head, unfinished)
                return .leftOut
            }
            try begin(head, at: start, unfinished)
            return .taken
        } onBody: { bytes in
            let most = size ?? Self.largestUncertain
            guard unfinished.byteCount + bytes.count <= most else {
                unfinished.remove()
                throw HubError.failure(
                    "\(place): more bytes came than the \(most) that \(client.settings.hub) names; they were removed, try again"
                )
            }
            try unfinished.append(bytes)
            onProgress(unfinished.byteCount)
        }
        return isWhole || size == nil || unfinished.byteCount == size
    }

    /// Whether a range that cannot be had means that there is nothing left to have. What is here is of no use otherwise.
    private func isEnd(_ head: HTTPHead, _ unfinished: UnfinishedBlob) throws -> Bool {
        if let total = head.contentRange?.total ?? size, total == unfinished.byteCount {
            return true
        }
        try unfinished.empty()
        throw TransferFailure(reason: "the server has fewer bytes than it named", isPassing: true)
    }

    /// Looks at what the server says it is going to send.
    private func begin(_ head: HTTPHead, at start: Int, _ unfinished: UnfinishedBlob) throws {
        let encoding = head["Content-Encoding"]?.lowercased() ?? "identity"
        guard encoding == "identity" else {
            throw HubError.failure(
                "\(place) comes packed (\(quoted(encoding))), which was not requested: check whether a proxy stands between"
            )
        }
        guard head.status == 206 else {
            if let size, let length = head.contentLength, length < size {
                // Such as the page of a proxy, which nothing that is here gives way to.
                throw TransferFailure(
                    reason: "the server sends \(length) bytes in place of \(size)", isPassing: true)
            }
            // Some servers know no ranges and send everything.
            return start > 0 ? try unfinished.empty() : ()
        }
        let range = head.contentRange
        let isRight = range?.first == start && (range?.total ?? size) == size
        guard isRight || (range?.first == start && size == nil) else {
            try unfinished.empty()
            throw TransferFailure(
                reason: "the server sends another part than the one wanted", isPassing: true)
        }
    }

    /// The file's size where it is certain. The length of a small file may be that of another form of it.
    private var size: Int? { facts.isSizeCertain ? facts.byteCount : nil }

    /// More than a file without a certain size has.
    private static let largestUncertain = 1 << 30

    private var place: String { "\(printable(file)) of \(model.name)" }
}

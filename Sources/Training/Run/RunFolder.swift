import Storage

/// The folder of one training run, locked for this process while the value lives.
///
///     recipe.yaml              the recipe with every key
///     metrics.jsonl            one line of numbers a logged step
///     events.out.tfevents.*    the same for TensorBoard
///     damaged.jsonl            pictures of the data that cannot be read, where there are any
///     samples/step-N.png       sheets of pictures
///     checkpoints/step-N/      the state after step N
///     model/                   the trained model
public struct RunFolder: Sendable {
    /// The folder's path, as it was given.
    public let path: String
    /// Whether a run was there before, which is now continued.
    public let isContinued: Bool

    private let lock: FolderLock

    /// Opens a folder for a run and locks it.
    ///
    /// - Parameters:
    ///   - path: the folder; it and those above it are created where they are not there.
    ///   - resume: continue the run that is there; where there is none, one is started.
    /// - Throws: `RunError`: the folder holds a run and `resume` is false, or it holds something that is
    ///   not a run, or another process has it, or it cannot be written.
    public init(_ path: String, resume: Bool) throws {
        self.path = path
        do {
            try Files.createFolder(path)
        } catch {
            throw RunError("The run folder cannot be made", error)
        }
        lock = try FolderLock(folder: path)
        isContinued = try Self.holdsRun(path, resume: resume)
        do {
            if !isContinued { try Self.checkEmpty(path) }
            for file in [recipePath, metricsPath, damagedPath] { try Files.checkPlace(ofFile: file) }
            try Files.sweep(path)
            try Files.createFolder(samplesPath)
            try Files.createFolder(checkpointsPath)
        } catch let failure as FileError {
            throw RunError("The run folder \(path) cannot be used", failure)
        }
    }

    /// Whether a folder holds a run, looked up before anything is made.
    /// - Throws: `RunError` where it does and is not to be continued, or where no run can be begun.
    static func checked(_ path: String, resume: Bool) throws -> Bool {
        guard try !holdsRun(path, resume: resume) else { return true }
        var folder = path
        while !Files.exists(folder), folder != Files.parent(of: folder) { folder = Files.parent(of: folder) }
        do {
            try Files.checkPlace(ofFolder: path.isEmpty ? path : folder)
        } catch {
            throw RunError("The run folder \(path) cannot be made", error)
        }
        if Files.isFolder(path) { try checkEmpty(path) }
        return false
    }

    private static func holdsRun(_ path: String, resume: Bool) throws -> Bool {
        let isRun = Files.exists("\(path)/recipe.yaml")
        guard resume || !isRun else {
            throw RunError(
                "The folder \(path) holds a run already: resume it, or give another folder.")
        }
        return isRun
    }

    /// A run that stopped before its recipe was written left only the lock, temporary files and empty folders.
    private static func checkEmpty(_ path: String) throws {
        for name in try Files.names(in: path) where name != ".lock" && !name.contains(".tmp-") {
            let inner = "\(path)/\(name)"
            let isOurs = ["samples", "checkpoints"].contains(name) && Files.isFolder(inner)
            guard isOurs, try Files.names(in: inner).isEmpty else {
                throw RunError(
                    """
                    The folder \(path) is not empty and holds no run (there is \(quoted(name)), but no recipe.yaml): \
                    give another folder.
                    """)
            }
        }
    }

    /// The resolved recipe.
    public var recipePath: String { "\(path)/recipe.yaml" }
    /// The numbers of the run, a JSON object a line (`MetricsLog`).
    public var metricsPath: String { "\(path)/metrics.jsonl" }
    /// The list of pictures that cannot be read.
    public var damagedPath: String { "\(path)/damaged.jsonl" }
    /// The folder of the sample sheets.
    public var samplesPath: String { "\(path)/samples" }
    /// The folder of the checkpoints (`CheckpointFolder`).
    public var checkpointsPath: String { "\(path)/checkpoints" }
    /// The folder of the trained model.
    public var modelPath: String { "\(path)/model" }

    /// Where the sample sheet of a step goes.
    public func samplePath(step: Int) -> String { "\(samplesPath)/step-\(step).png" }

    /// The recipe that the run was last started or continued with.
    public func recipe() throws -> Recipe {
        try Recipe(savedAt: recipePath)
    }

    /// Writes the recipe, whole or not at all. From then on the folder holds a run.
    public func write(_ recipe: Recipe) throws {
        let text = try recipe.yaml
        do {
            try Files.replace(recipePath, with: text.utf8)
        } catch {
            throw RunError("The recipe was not saved", error)
        }
    }

    /// The folder's checkpoints, of which the newest `keep` stay.
    public func checkpoints(keep: Int) -> CheckpointFolder {
        CheckpointFolder(checkpointsPath, keep: keep)
    }

    /// The newest checkpoint that is whole, of a run that is continued; `nil` where there is none at all. What a save that
    /// was cut short left is swept away.
    /// - Throws: `RunError` where no checkpoint is whole.
    func newestCheckpoint(keep: Int, warn: (String) -> Void) throws -> Checkpoint? {
        guard isContinued else { return nil }
        let checkpoints = checkpoints(keep: keep)
        try checkpoints.sweep()
        return try checkpoints.newest(warn: warn)
    }
}

import ArgumentParser
import Foundation
import Hub
import Pipelines
import Synchronization

/// How models of the hub are fetched: shared by the commands that open models.
struct HubOptions: ParsableArguments {
    @Option(
        help:
            "Of a model of the hub (org/name): a branch, a tag or a commit, which the name can say as well (org/name@REVISION); main where not given."
    )
    var revision: String?

    @Flag(
        help:
            "Fetch nothing: models of the hub are those that its cache holds. HF_HUB_OFFLINE=1 says the same."
    )
    var offline = false

    /// Finds models, with a progress bar where they are fetched.
    var locator: ModelLocator {
        var locator = ModelLocator()
        locator.isOffline = offline
        let bar = DownloadBar()
        locator.onProgress = { bar.show($0) }
        locator.onMessage = { say("note: \($0)") }
        return locator
    }

    /// The path of the model that a command was given, which is fetched first where it is one of the hub.
    func path(of model: String, variant: String? = nil, takesWeights: Bool = true) throws -> String {
        return try locator.path(of: model, revision: revision, variant: variant, takesWeights: takesWeights)
    }
}

/// The progress bar of downloads, which may come from any thread.
private final class DownloadBar: Sendable {
    private let bar = Mutex<ProgressBar?>(nil)
    /// What has fewer bytes, such as configurations, is there in a moment.
    private static let least = 100_000

    func show(_ progress: HubProgress) {
        guard progress.total >= Self.least else { return }
        bar.withLock { bar in
            if bar == nil {
                bar = ProgressBar(total: progress.total, first: progress.first, unit: .bytes)
                // Whatever came in the first moment says nothing about the rate.
                bar?.show(step: progress.first)
            }
            bar?.show(step: progress.byteCount)
            guard progress.byteCount >= progress.total else { return }
            bar?.finish()
            bar = nil
        }
    }
}

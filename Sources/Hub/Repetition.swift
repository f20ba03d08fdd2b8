import Foundation

/// How often a request is repeated that failed for a passing reason, and after which pauses. Whatever brings something
/// new begins the count anew, so that a long download over a bad line ends well and a hopeless one ends.
struct Repetition {
    private let settings: HubSettings
    private var failures = 0
    private var best = 0

    init(_ settings: HubSettings) { self.settings = settings }

    /// Waits until the request may be repeated.
    /// - Parameters:
    ///   - byteCount: what is there of the answer by now.
    ///   - wish: the pause that the server wishes, in seconds.
    /// - Returns: `false` where it has failed often enough.
    mutating func waits(having byteCount: Int = 0, wish: Double? = nil) -> Bool {
        if byteCount > best { failures = 0 }
        best = max(best, byteCount)
        guard failures < settings.retries else { return false }
        let pause = settings.firstPause * Double(1 << min(failures, 20))
        failures += 1
        Thread.sleep(forTimeInterval: min(wish ?? pause, settings.longestPause))
        return true
    }
}

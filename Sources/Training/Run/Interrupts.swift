#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A request to stop that came from outside.
public enum Interruption: Int32, Sendable, CaseIterable {
    /// Ctrl-C (SIGINT).
    case keyboard
    /// A supervisor's request (SIGTERM).
    case terminate
    /// What Slurm and others send some time before they end a job (SIGUSR1).
    case warning

    /// The system's number of the signal.
    public var signal: Int32 {
        switch self {
        case .keyboard: SIGINT
        case .terminate: SIGTERM
        case .warning: SIGUSR1
        }
    }

    /// The exit code of a program that the signal stopped: 128 and the signal's number, as shells have it.
    public var exitCode: Int32 { 128 + signal }
}

/// Turns signals into a flag that a loop reads between its steps.
///
/// The first signal only raises the flag: the loop finishes its step, saves and ends. It also puts the
/// system's own answer back, so that a second signal ends the process at once.
///
/// Signals belong to the process, so only one value should live at a time; the command owns it.
public struct Interrupts: ~Copyable {
    /// Starts to watch for every `Interruption`.
    public init() {
        // What an earlier value left unread is not for this one.
        while Self.firstByte(taking: true) != nil {}
        Self.unblock()
        for interruption in Interruption.allCases {
            var action = sigaction()
            action.sa_flags = SA_RESTART
            sigemptyset(&action.sa_mask)
            #if canImport(Darwin)
                action.__sigaction_u.__sa_handler = noteSignal
            #else
                action.__sigaction_handler.sa_handler = noteSignal
            #endif
            sigaction(interruption.signal, &action, nil)
        }
    }

    deinit {
        restoreDefaults()
    }

    /// A process inherits the signals that its parent's thread had blocked, and supervisors start children
    /// from threads that block them all.
    private static func unblock() {
        var set = sigset_t()
        sigemptyset(&set)
        for interruption in Interruption.allCases { sigaddset(&set, interruption.signal) }
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// The first request to stop that came since the value was made. It stays until the value ends.
    public var pending: Interruption? {
        Self.firstByte(taking: false).flatMap { byte in
            Interruption.allCases.first { $0.signal == Int32(byte) }
        }
    }

    private static func firstByte(taking: Bool) -> UInt8? {
        var byte: UInt8 = 0
        let flags = Int32(MSG_DONTWAIT) | (taking ? 0 : Int32(MSG_PEEK))
        return recv(mailbox.reading, &byte, 1, flags) == 1 ? byte : nil
    }
}

/// Where the handler leaves the signals' numbers.
///
/// It is global because a signal handler is a C function without a context: it can reach nothing else.
/// A pair of sockets needs no atomics and can be read without taking anything out.
private let mailbox: (reading: Int32, writing: Int32) = {
    var ends: [Int32] = [-1, -1]
    #if canImport(Darwin)
        let kind = SOCK_STREAM
    #else
        let kind = Int32(SOCK_STREAM.rawValue)
    #endif
    socketpair(AF_UNIX, kind, 0, &ends)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}()

/// The handler: only calls that POSIX allows in one.
private func noteSignal(_ signal: Int32) {
    let code = errno
    // First, so that whoever sees the request may rely on it.
    restoreDefaults()
    var byte = UInt8(truncatingIfNeeded: signal)
    send(mailbox.writing, &byte, 1, Int32(MSG_DONTWAIT))
    errno = code
}

/// Lets the system answer the signals again: they end the process.
private func restoreDefaults() {
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    signal(SIGUSR1, SIG_DFL)
}

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The time that this thread has had of a processor, in seconds; other tests run beside it.
public func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

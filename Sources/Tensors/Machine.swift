import CTorch
import Foundation

/// What the machine under libtorch is, and how much of it is used.
public enum Machine {
    /// The version of libtorch.
    public static var torchVersion: String { String(cString: ct_version()) }

    /// The number of threads that one operation may use.
    public static var threadCount: Int { Int(ct_thread_count()) }

    /// The number of processors that this process may use.
    public static var processorCount: Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }

    /// Sets the number of threads that one operation may use.
    public static func setThreadCount(_ count: Int) throws {
        guard (1...1024).contains(count) else {
            throw TensorError(.operation, "\(count) threads were requested: give a number from 1 to 1024")
        }
        try check(ct_set_thread_count(Int32(count)))
    }

    /// Bytes of memory that this process holds now; 0 where the system does not tell.
    public static var residentBytes: Int { Int(ct_resident_bytes()) }

    /// Pages of memory that the system has handed to this process on first touch; a computation whose buffers are used
    /// again asks for none.
    public static var pageFaultCount: Int { Int(ct_page_faults()) }

    /// The most bytes of memory that this process has held.
    public static var peakResidentBytes: Int { Int(ct_peak_resident_bytes()) }
}

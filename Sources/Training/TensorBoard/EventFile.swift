import Foundation
import Storage
import SwiftProtobuf

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that TensorBoard reads: numbers and pictures over the steps of a run.
///
/// The file is a TFRecord file: each record is an event as protobuf between its length and checksums.
/// Every event is handed to the system before the call returns; one that cannot be written leaves nothing behind.
public final class EventFile {
    /// The file's path; its name begins with `events.out.tfevents.`.
    public let path: String

    private let file: Int32
    private let now: () -> Double

    /// Creates a new event file in a folder.
    ///
    /// - Parameters:
    ///   - folder: where TensorBoard looks for runs.
    ///   - resumingAfter: the step that a continued run goes on after: what earlier files say about later
    ///     steps is then dropped by the reader.
    /// - Throws: `RunError` where the file cannot be written.
    public convenience init(folder: String, resumingAfter step: Int? = nil) throws {
        let now = Date().timeIntervalSince1970
        let host = ProcessInfo.processInfo.hostName.replacingOccurrences(of: "/", with: "_")
        let name = "events.out.tfevents.\(Int(now)).\(host).\(getpid()).\(Files.uniqueName())"
        try self.init(path: "\(folder)/\(name)", resumingAfter: step) { Date().timeIntervalSince1970 }
    }

    package init(path: String, resumingAfter step: Int?, now: @escaping () -> Double) throws {
        self.path = path
        self.now = now
        do {
            file = try Files.open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, "creating")
        } catch {
            throw RunError("The file for TensorBoard was not made", error)
        }
        try append(step: 0, .fileVersion("brain.Event:2"))
        if let step {
            let start = Langevin_SessionLog.with { $0.status = .start }
            try append(step: step + 1, .sessionLog(start))
        }
    }

    deinit {
        close(file)
    }

    /// Writes numbers by name. Throws `RunError` where that fails.
    public func write(_ scalars: [(tag: String, value: Double)], step: Int) throws {
        let summary = Langevin_Summary.with { summary in
            summary.value = scalars.map { scalar in
                .with {
                    $0.tag = scalar.tag
                    $0.simpleValue = Float(scalar.value)
                }
            }
        }
        try append(step: step, .summary(summary))
    }

    /// Writes a picture.
    ///
    /// - Parameters:
    ///   - image: the PNG file.
    ///   - width: in pixels.
    ///   - height: in pixels.
    ///   - channels: 1 grey, 3 RGB, 4 RGBA.
    /// - Throws: `RunError` where that fails.
    public func write(image: [UInt8], width: Int, height: Int, channels: Int, tag: String, step: Int) throws {
        let summary = Langevin_Summary.with { summary in
            summary.value = [
                .with {
                    $0.tag = tag
                    $0.image = .with {
                        $0.width = Int32(clamping: width)
                        $0.height = Int32(clamping: height)
                        $0.colorspace = Int32(clamping: channels)
                        $0.encodedImageString = Data(image)
                    }
                }
            ]
        }
        try append(step: step, .summary(summary))
    }

    private func append(step: Int, _ what: Langevin_Event.OneOf_What) throws {
        let event = Langevin_Event.with {
            $0.wallTime = now()
            $0.step = Int64(step)
            $0.what = what
        }
        let bytes: [UInt8] = try event.serializedBytes()
        do {
            try Files.append(Self.record(bytes), to: file, path)
        } catch {
            throw RunError("An event for TensorBoard was not written", error)
        }
    }

    /// A TFRecord: length, its checksum, the bytes, their checksum; numbers are little-endian.
    static func record(_ bytes: [UInt8]) -> [UInt8] {
        let length = littleEndian(UInt64(bytes.count))
        return length + littleEndian(maskedCRC32C(length)) + bytes + littleEndian(maskedCRC32C(bytes))
    }

    private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}

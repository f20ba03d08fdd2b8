import Checkpoints
import Diffusion
import Foundation
import Pictures
import Storage
import Tensors

/// Where samples go, by the form of the name that a user gave.
public struct SampleOutput: Sendable {
    private enum Form: Sendable {
        case tensor
        /// One picture, or a sheet of several.
        case picture
        /// One file a picture, its number in place of the pattern.
        case numbered(before: String, digits: Int, after: String)
        case folder
    }

    private let path: String
    private let form: Form
    /// Whether the raw tensor is written and no picture.
    public var isTensor: Bool {
        if case .tensor = form { return true }
        return false
    }
    private let count: Int

    /// Looks at a name before anything is computed.
    /// - Throws: `PipelineError` where nothing can be written there.
    public init(_ path: String, count: Int) throws {
        self.path = path
        self.count = count
        let url = URL(fileURLWithPath: path)
        if url.pathExtension.lowercased() == "safetensors" {
            form = .tensor
        } else if PictureFormat(fileExtension: url.pathExtension) == nil {
            guard url.pathExtension.isEmpty || FileManager.default.isFolder(path) else {
                throw PipelineError("-o \(path): pictures are .png, .jpg or .webp, tensors .safetensors")
            }
            guard !FileManager.default.fileExists(atPath: path) || FileManager.default.isFolder(path) else {
                throw PipelineError("-o \(path): there is a file of that name where a folder is needed")
            }
            form = .folder
        } else {
            form = try Self.numbered(path) ?? .picture
        }
        if case .folder = form {
            try Self.checkWritable(parent: url)
        } else {
            guard !FileManager.default.isFolder(path) else {
                throw PipelineError("-o \(path): there is a folder of that name")
            }
            try Self.checkWritable(parent: url)
        }
    }

    /// Checks the name of a picture before anything is computed.
    public static func checkPicture(_ path: String) throws {
        let url = URL(fileURLWithPath: path)
        guard PictureFormat(fileExtension: url.pathExtension) != nil else {
            throw PipelineError("\(path): pictures are .png, .jpg or .webp")
        }
        try checkWritable(parent: url)
    }

    static func checkWritable(parent url: URL) throws {
        let parent = url.deletingLastPathComponent().path
        guard FileManager.default.isFolder(parent) else {
            throw PipelineError("\(url.relativePath): there is no folder \(parent): make it first")
        }
        do {
            try Files.probe(folder: parent)
        } catch {
            throw PipelineError("\(url.relativePath): the folder \(parent) cannot be written to")
        }
    }

    /// `name-%d.png`, `name-%05d.png`
    private static func numbered(_ path: String) throws -> Form? {
        guard let percent = path.firstIndex(of: "%") else { return nil }
        let rest = path[path.index(after: percent)...]
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard rest.dropFirst(digits.count).first == "d", let width = digits.isEmpty ? 0 : Int(digits),
            width <= 20
        else {
            throw PipelineError("-o \(path): a number is written %d or %05d")
        }
        return .numbered(
            before: String(path[..<percent]), digits: width,
            after: String(rest.dropFirst(digits.count + 1)))
    }

    /// Writes samples `[count, channels, height, width]`.
    /// - Returns: the files.
    /// - Throws: an error that names the file; what was written before stays whole.
    public func write(_ samples: Tensor, receipt: Receipt) throws -> [String] {
        switch form {
        case .tensor:
            try SafetensorsWriter([("samples", samples)], metadata: ["langevin": receipt.json()])
                .write(to: path)
            return [path]
        case .picture:
            let rows = receipt.classes.map { Set($0).count }
            let picture = try count == 1 ? Picture(samples[0]) : Picture.sheet(of: samples, rows: rows)
            try write(picture, receipt, to: path)
            return [path]
        case .numbered(let before, let digits, let after):
            return try writeEach(samples, receipt) { before + Self.padded($0, digits) + after }
        case .folder:
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            return try writeEach(samples, receipt) { "\(path)/\(Self.padded($0, 5)).png" }
        }
    }

    private func writeEach(_ samples: Tensor, _ receipt: Receipt, name: (Int) -> String) throws -> [String] {
        try (0..<count).map { index in
            try write(Picture(samples[index]), receipt.picture(index), to: name(index))
            return name(index)
        }
    }

    private func write(_ picture: Picture, _ receipt: Receipt, to path: String) throws {
        let url = URL(fileURLWithPath: path)
        let isPNG = PictureFormat(fileExtension: url.pathExtension) == .png
        let texts = try [
            PictureText("parameters", receipt.parameters),
            PictureText("langevin", receipt.json()),
        ]
        try picture.write(to: url, texts: isPNG ? texts : [])
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

extension FileManager {
    func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }
}

extension Picture {
    /// Pictures `[count, channels, height, width]` side by side, magnified until they can be seen.
    /// - Parameter rows: how many rows; about as many as columns where `nil`.
    package static func sheet(of samples: Tensor, rows: Int? = nil) throws -> Picture {
        let pictures = try Picture.pictures(of: samples)
        let rows = rows ?? Int(Double(pictures.count).squareRoot().rounded(.up))
        let columns = max(1, (pictures.count + rows - 1) / rows)
        let side = max(samples.shape[2], samples.shape[3])
        return Sheet(columns: columns, padding: 2, magnification: max(1, 48 / side)).picture(of: pictures)
    }
}

/// The way from noise to pictures, remembered in a few moments.
public struct TrajectoryFrames {
    private let moments: Set<Int>
    private var states: [Tensor] = []

    /// Remembers ten moments of a run, the last one included.
    public init(steps: Int) {
        let count = min(10, steps)
        moments = Set((1...max(1, count)).map { $0 * steps / max(1, count) })
    }

    /// Remembers the first pictures of a step, if it is one of the moments.
    public mutating func add(_ progress: SamplingProgress) {
        guard moments.contains(progress.stepsDone) else { return }
        states.append(progress.sample.slice(0..<min(10, progress.sample.shape[0]), of: 0))
    }

    /// One row a picture, from noise on the left to the picture on the right.
    public func picture() throws -> Picture {
        guard let first = states.first else {
            throw PipelineError("no step was taken: there is no way to draw")
        }
        let rows = stacked(states, along: 1).flattened(from: 0, to: 1)
        return try Picture.sheet(of: rows, rows: first.shape[0])
    }
}

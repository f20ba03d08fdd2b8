import Checkpoints
import Diffusion
import Foundation
import Pictures
import Storage
import Tensors

/// Where samples go, by the form of the name that a user gave.
public struct SampleOutput: Sendable {
    /// The names of the files.
    public let names: OutputNames

    /// Whether the raw tensor is written and no picture.
    public var isTensor: Bool { names.isTensor }

    /// Looks at a name before anything is computed.
    /// - Throws: `PipelineError` or `FileError` where nothing can be written there.
    public init(_ path: String, count: Int) throws {
        names = try OutputNames(path, count: count)
    }

    /// Checks the name of a picture before anything is computed.
    public static func checkPicture(_ path: String) throws {
        guard PictureFormat(fileExtension: URL(file: path).pathExtension) != nil else {
            throw PipelineError("\(path): pictures are .png, .jpg or .webp")
        }
        try Files.checkPlace(ofFile: path)
    }

    /// Writes samples `[count, channels, height, width]`.
    /// - Returns: the files.
    /// - Throws: an error that names the file; what was written before stays whole.
    public func write(_ samples: Tensor, receipt: Receipt) throws -> [String] {
        let (count, path) = (names.count, names.path)
        guard names.form == .one else {
            if names.form == .folder { try Files.createFolder(path) }
            for index in 0..<count {
                let (name, receipt) = (names.name(index), receipt.picture(index))
                if isTensor {
                    try write(samples.slice(index..<(index + 1), of: 0), receipt, to: name)
                } else {
                    let point =
                        samples.rank == 2 ? try PointSheet(samples.slice(index..<(index + 1), of: 0)) : nil
                    try write(point?.picture() ?? Picture(samples[index]), receipt, to: name)
                }
            }
            return names.all
        }
        if isTensor {
            try write(samples, receipt, to: path)
        } else {
            let rows = receipt.classes.map { Set($0).count }
            let sheet = samples.rank == 2 ? try PointSheet(samples).picture() : nil
            let picture =
                try sheet ?? (count == 1 ? Picture(samples[0]) : Picture.sheet(of: samples, rows: rows))
            try write(picture, receipt, to: path)
        }
        return [path]
    }

    private func write(_ samples: Tensor, _ receipt: Receipt, to path: String) throws {
        try SafetensorsWriter([("samples", samples)], metadata: ["langevin": receipt.json()]).write(to: path)
    }

    private func write(_ picture: Picture, _ receipt: Receipt, to path: String) throws {
        let url = URL(file: path)
        let isPNG = PictureFormat(fileExtension: url.pathExtension) == .png
        let texts = try [
            PictureText("parameters", receipt.parameters),
            PictureText("langevin", receipt.json()),
        ]
        try picture.write(to: url, texts: isPNG ? texts : [])
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
    /// - Parameter shown: makes samples in −1 … 1 of those of the model.
    public mutating func add(_ progress: SamplingProgress, shown: (Tensor) -> Tensor = { $0 }) {
        guard moments.contains(progress.stepsDone) else { return }
        states.append(shown(progress.sample.slice(0..<min(10, progress.sample.shape[0]), of: 0)))
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

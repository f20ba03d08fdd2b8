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

    /// Checks that samples of a stage can be written so.
    /// - Throws: `PipelineError` where points are no pictures.
    public func check(_ settings: StageSettings) throws {
        guard names.isTensor || !settings.request.inverts else {
            throw PipelineError(
                "\(names.path): the noise that leads to a picture is no picture: use .safetensors")
        }
        guard settings.pictureShape == nil else { return }
        let dimension = settings.sampleShape[0]
        guard names.form != .folder else {
            throw PipelineError("\(names.path): samples of numbers go into a .safetensors file")
        }
        guard names.isTensor || dimension <= 2 else {
            throw PipelineError(
                "\(names.path): samples of \(dimension) numbers are no picture (those of 2 are drawn as a cloud): use .safetensors"
            )
        }
        guard names.isTensor || names.form == .one else {
            throw PipelineError(
                "\(names.path): the cloud of all samples is one picture: leave out the number")
        }
    }

    /// Writes samples: tensors as they are, pictures `[count, channels, height, width]`, points `[count, dimension]`.
    /// - Returns: the files.
    /// - Throws: an error that names the file; what was written before stays whole.
    public func write(_ samples: Tensor, receipt: Receipt) throws -> [String] {
        let path = names.path
        guard names.form == .one else {
            if names.form == .folder { try Files.createFolder(path) }
            for index in 0..<names.count {
                let (name, receipt) = (names.name(index), receipt.picture(index))
                if isTensor {
                    try write(samples.slice(index..<(index + 1), of: 0), receipt, to: name)
                } else {
                    try write(Picture(samples[index]), receipt, to: name)
                }
            }
            return names.all
        }
        if isTensor {
            try write(samples, receipt, to: path)
        } else if samples.rank == 2 {
            let title = "\(receipt.count) samples of \(receipt.model)"
            try write(PointSheet(samples).cloud(title: title), receipt, to: path)
        } else {
            let rows = receipt.classes.map { Set($0).count }
            let picture = try names.count == 1 ? Picture(samples[0]) : Picture.sheet(of: samples, rows: rows)
            try write(picture, receipt, to: path)
        }
        return [path]
    }

    private func write(_ samples: Tensor, _ receipt: Receipt, to path: String) throws {
        // Noise has the name that a run reads it by.
        let name = receipt.inversion == true ? "latents" : "samples"
        try SafetensorsWriter([(name, samples.to(.cpu))], metadata: ["langevin": receipt.json()]).write(
            to: path)
    }

    private func write(_ picture: Picture, _ receipt: Receipt, to path: String) throws {
        let texts = try [
            PictureText("parameters", receipt.parameters),
            PictureText("langevin", receipt.json()),
        ]
        try picture.write(to: URL(file: path), texts: texts)
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

import Checkpoints
import Foundation
import Pictures
import Storage
import Tensors

extension SampleOutput {
    /// Writes pictures or tensors that no run made, with a record of what they were made with.
    /// - Parameters:
    ///   - samples: `[count, channels, height, width]` in −1 … 1, or whatever a tensor is to hold.
    ///   - record: JSON, in pictures the text `langevin`.
    /// - Returns: the files.
    /// - Throws: an error that names the file; what was written before stays whole.
    public func write(_ samples: Tensor, record: String) throws -> [String] {
        if names.form == .folder { try Files.createFolder(names.path) }
        guard names.form == .one else {
            for index in 0..<names.count {
                try write(samples.slice(index..<(index + 1), of: 0), record, to: names.name(index))
            }
            return names.all
        }
        try write(samples, record, to: names.path)
        return [names.path]
    }

    /// Writes one picture that no run made, as it is: grey, colour or with transparency. A tensor of it holds its colours.
    /// - Returns: the file.
    /// - Throws: an error that names the file.
    public func write(_ picture: Picture, record: String) throws -> [String] {
        guard !isTensor else { return try write(picture.tensor().unsqueezed(0), record: record) }
        if names.form == .folder { try Files.createFolder(names.path) }
        try write(picture, record, to: names.name(0))
        return [names.name(0)]
    }

    /// Writes a tensor of a name of its own that no run made, with a record of what it was made with.
    /// - Returns: the file.
    /// - Throws: an error that names the file.
    public func write(_ tensor: Tensor, named name: String, record: String) throws -> [String] {
        try SafetensorsWriter([(name, tensor)], metadata: ["langevin": record]).write(to: names.name(0))
        return [names.name(0)]
    }

    /// Throws where a picture cannot be made that large.
    public static func check(enlarged picture: Picture, width: Int, height: Int) throws {
        let pixels = Double(width) * Double(height)
        // What a row or a column of PNG and of the resizing's arithmetic holds.
        guard max(width, height) <= 1 << 20 else {
            throw PipelineError(
                "a picture of \(width)×\(height) pixels is too large: sides have at most \(1 << 20)")
        }
        try MemoryNeed(
            "a picture of \(width)×\(height) pixels", bytes: 2 * pixels * Double(picture.channels),
            remedy: "enlarge it less"
        ).check(on: .cpu)
    }

    private func write(_ samples: Tensor, _ record: String, to path: String) throws {
        guard !isTensor else {
            let own = samples.to(.cpu)
            try SafetensorsWriter([("samples", own)], metadata: ["langevin": record]).write(to: path)
            return
        }
        try write(samples.shape[0] == 1 ? Picture(samples[0]) : Picture.sheet(of: samples), record, to: path)
    }

    private func write(_ picture: Picture, _ record: String, to path: String) throws {
        try picture.write(to: URL(file: path), texts: [PictureText("langevin", record)])
    }
}

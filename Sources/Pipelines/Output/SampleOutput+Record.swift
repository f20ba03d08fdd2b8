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

    private func write(_ samples: Tensor, _ record: String, to path: String) throws {
        guard !isTensor else {
            let own = samples.to(.cpu)
            try SafetensorsWriter([("samples", own)], metadata: ["langevin": record]).write(to: path)
            return
        }
        let url = URL(file: path)
        let isPNG = PictureFormat(fileExtension: url.pathExtension) == .png
        let picture = try samples.shape[0] == 1 ? Picture(samples[0]) : Picture.sheet(of: samples)
        try picture.write(to: url, texts: isPNG ? [PictureText("langevin", record)] : [])
    }
}

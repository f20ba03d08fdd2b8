import Checkpoints
import Foundation
import Pictures
import Storage
import Tensors

extension Tensor {
    /// Depths `[height, width]` of a grey picture, or of the tensor 'depth' of a .safetensors file.
    /// - Throws: an error that names the file.
    static func depth(file path: String) throws -> Tensor {
        guard path.lowercased().hasSuffix(".safetensors") else {
            let picture = try Picture(contentsOf: URL(file: path), limit: Picture.requestLimit)
            return picture.converted(toChannels: 1).tensor().squeezed(0)
        }
        let depth = try SafetensorsFile(path: path).tensor(named: "depth")
        return depth.rank == 3 && depth.shape[0] == 1 ? depth.squeezed(0) : depth
    }
}

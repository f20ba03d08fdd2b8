import Checkpoints
import Foundation
import Layers
import Networks
import Tensors
import TestSupport

/// A classifier of noisy samples: a U-Net of random parameters that gives a map for each of ten classes.
enum TinyClassifier {
    /// Writes one for the samples of a model without classes, on its process.
    static func write(like model: TinyModel, to path: String) throws {
        try FileManager.default.copyItem(atPath: model.model, toPath: path)
        try? FileManager.default.removeItem(atPath: path + "/langevin.json")
        let folder = ModelFolder(path + "/unet")
        var object = try folder.configuration()
        object["out_channels"] = 10
        let configuration = try UNet2D.configuration(object)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 5)))
        _ = try store.build { try UNet2D(configuration, $0) }
        // The last layer begins with zeros, which would say nothing of any class.
        let parameters = store.named.map { name, value in
            (name, name == "conv_out.weight" ? RandomGenerator(seed: 6).normal(value.shape) : value)
        }
        try UNet2D.write(configuration, parameters, to: folder)
    }
}

import Foundation
import Layers
import Networks
import Tensors
import Testing

@Suite struct UNet2DTests {
    @Test(arguments: 0..<6)
    func `forward and gradients are those of diffusers`(_ index: Int) throws {
        let reference = try Reference("unet/unet-0-\(index).safetensors")
        let configuration = try JSONDecoder().decode(UNet2DConfiguration.self, from: reference.configuration)
        try compare(reference) { try UNet2D(configuration, $0) } run: { $0($1, time: $2, labels: $3) }
    }
}

import Layers
import Tensors

/// A network for classes of pictures, as far as a perceptual distance reads it: a row for each that is known.
public struct PerceptualBackbone: Sendable {
    /// A layer.
    struct Layer: Sendable {
        /// The number of the convolution among the layers of the published network; `nil` where it takes the largest of
        /// each square.
        let number: Int?
        /// Channels that it reads and gives; both 0 where they stay.
        let channels: (inputs: Int, outputs: Int)
        let kernel: Int
        let stride: Int
        let padding: Int

        /// A convolution before max(x, 0).
        static func convolution(
            _ number: Int, _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1, padding: Int = 1
        ) -> Layer {
            Layer(
                number: number, channels: (inputs, outputs), kernel: kernel, stride: stride, padding: padding)
        }

        /// The largest of each square.
        static func pool(_ size: Int) -> Layer {
            Layer(number: nil, channels: (0, 0), kernel: size, stride: 2, padding: 0)
        }
    }

    /// What messages call it.
    public let name: String
    /// Height and width of the smallest pictures that pass.
    public let leastSize: Int
    /// The layers; the features after each slice are compared.
    let slices: [[Layer]]

    /// Those that there are.
    public static let all = [vgg16, alexNet]

    /// Source: Simonyan and Zisserman 2015 (arXiv:1409.1556), table 1, configuration D.
    public static let vgg16 = PerceptualBackbone(
        name: "VGG-16", leastSize: 16,
        slices: [
            [.convolution(0, 3, 64), .convolution(2, 64, 64)],
            [.pool(2), .convolution(5, 64, 128), .convolution(7, 128, 128)],
            [.pool(2), .convolution(10, 128, 256), .convolution(12, 256, 256), .convolution(14, 256, 256)],
            [.pool(2), .convolution(17, 256, 512), .convolution(19, 512, 512), .convolution(21, 512, 512)],
            [.pool(2), .convolution(24, 512, 512), .convolution(26, 512, 512), .convolution(28, 512, 512)],
        ])

    /// Source: Krizhevsky 2014 (arXiv:1404.5997), section 5.
    public static let alexNet = PerceptualBackbone(
        name: "AlexNet", leastSize: 31,
        slices: [
            [.convolution(0, 3, 64, kernel: 11, stride: 4, padding: 2)],
            [.pool(3), .convolution(3, 64, 192, kernel: 5, padding: 2)],
            [.pool(3), .convolution(6, 192, 384)], [.convolution(8, 384, 256)],
            [.convolution(10, 256, 256)],
        ])

    /// The shape of the first weights, by which a file's backbone is recognized.
    var firstShape: Shape {
        let first = slices[0][0]
        return [first.channels.outputs, first.channels.inputs, first.kernel, first.kernel]
    }
}

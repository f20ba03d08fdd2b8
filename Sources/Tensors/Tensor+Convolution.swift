// Pictures `[batch, channels, height, width]`: convolutions and changes of resolution.

private let convolution1 = Operator("aten::conv1d")
private let convolution2 = Operator("aten::conv2d")
private let convolution3 = Operator("aten::conv3d")
private let transposedConvolution2 = Operator("aten::conv_transpose2d.input")
private let averagePool = Operator("aten::avg_pool2d")
private let maximumPool = Operator("aten::max_pool2d")
private let nearestUpsample = Operator("aten::upsample_nearest2d.vec")
private let bilinearUpsample = Operator("aten::upsample_bilinear2d.vec")
private let bicubicUpsample = Operator("aten::upsample_bicubic2d.vec")
private let adaptiveAveragePool = Operator("aten::adaptive_avg_pool2d")
private let smoothBicubicUpsample = Operator("aten::_upsample_bicubic2d_aa.vec")

extension Tensor {
    /// A convolution along one dimension, `[batch, channels, length]`.
    public func convolved1D(
        _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
        groups: Int = 1
    ) -> Tensor {
        convolution1(
            .tensor(self), .tensor(weight), .optional(bias), .ints([stride]), .ints([padding]),
            .ints([dilation]), .int(groups))
    }

    /// A convolution of pictures; `weight` is `[outputs, inputs / groups, height, width]`.
    public func convolved(
        _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
        groups: Int = 1
    ) -> Tensor {
        convolution2(
            .tensor(self), .tensor(weight), .optional(bias), .ints([stride, stride]),
            .ints([padding, padding]), .ints([dilation, dilation]), .int(groups))
    }

    /// A convolution of volumes or videos, `[batch, channels, depth, height, width]`.
    public func convolved3D(
        _ weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1, 1, 1], padding: [Int] = [0, 0, 0]
    ) -> Tensor {
        convolution3(.tensor(self), .tensor(weight), .optional(bias), .ints(stride), .ints(padding))
    }

    /// The transpose of a strided convolution; `weight` is `[inputs, outputs, height, width]`.
    public func convolvedTransposed(
        _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0
    ) -> Tensor {
        transposedConvolution2(
            .tensor(self), .tensor(weight), .optional(bias), .ints([stride, stride]),
            .ints([padding, padding]), .ints([outputPadding, outputPadding]))
    }

    /// The mean of each square of `size` pixels.
    public func averagePooled(_ size: Int, stride: Int? = nil) -> Tensor {
        averagePool(.tensor(self), .ints([size, size]), .ints([stride ?? size, stride ?? size]))
    }

    /// The largest of each square of `size` pixels.
    public func maxPooled(_ size: Int, stride: Int? = nil) -> Tensor {
        maximumPool(.tensor(self), .ints([size, size]), .ints([stride ?? size, stride ?? size]))
    }

    /// Enlarged or reduced to a height and width by repeating the nearest pixel.
    public func resizedNearest(height: Int, width: Int) -> Tensor {
        nearestUpsample(.tensor(self), .ints([height, width]), .none)
    }

    /// Enlarged by repeating each pixel.
    public func enlargedNearest(_ factor: Int) -> Tensor {
        nearestUpsample(.tensor(self), .none, .doubles([Double(factor), Double(factor)]))
    }

    /// Enlarged or reduced to a height and width by the mean of the area that a pixel covers, in whole pixels.
    public func resizedByArea(height: Int, width: Int) -> Tensor {
        adaptiveAveragePool(.tensor(self), .ints([height, width]))
    }

    /// Enlarged or reduced to a height and width, linear between pixel centres.
    /// - Parameter alignsCorners: whether the centres of the pixels in the corners stay in the corners, rather than the
    ///   corners of these pixels.
    public func resizedBilinear(height: Int, width: Int, alignsCorners: Bool = false) -> Tensor {
        bilinearUpsample(.tensor(self), .ints([height, width]), .bool(alignsCorners), .none)
    }

    /// Enlarged or reduced to a height and width, cubic between pixel centres (Keys' kernel with a = −0.75), without
    /// smoothing.
    public func resizedBicubic(height: Int, width: Int) -> Tensor {
        bicubicUpsample(.tensor(self), .ints([height, width]), .bool(false), .none)
    }

    /// Enlarged or reduced to a height and width, cubic between pixel centres (Keys' kernel with a = −0.5), with a wider
    /// kernel where it is reduced, so that no pixel is skipped.
    public func resizedSmoothly(height: Int, width: Int) -> Tensor {
        smoothBicubicUpsample(.tensor(self), .ints([height, width]), .bool(false), .none)
    }
}

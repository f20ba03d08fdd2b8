// What both ways of computing a convolution are given, and how its tensors become that.
#pragma once
#include "products.hpp"

#if CT_KERNELS
namespace ct {

/// Runs a layer, a struct with pointers, sizes and `run()`, on pictures whose channels lie innermost.
template <typename Layer, typename T>
at::Tensor convolve(const at::Tensor &x, const at::Tensor &packed, const std::optional<at::Tensor> &bias,
                    int64_t outputs, const std::optional<at::Tensor> &norm, bool silu,
                    const std::optional<at::Tensor> &addend, const std::optional<at::Tensor> &residual) {
    constexpr auto innermost = at::MemoryFormat::ChannelsLast;
    const auto own = x.contiguous(innermost);
    const auto added = residual.has_value() ? std::optional(residual->contiguous(innermost)) : residual;
    Layer layer{};
    layer.x = elements<T>(own);
    layer.weight = elements<T>(packed);
    layer.bias = elements<T>(bias);
    layer.addend = elements<T>(addend);
    layer.residual = elements<T>(added);
    layer.batch = own.size(0);
    layer.inputs = own.size(1);
    layer.height = own.size(2);
    layer.width = own.size(3);
    layer.outputs = outputs;
    layer.factors = elements<float>(norm);
    layer.shifts = norm.has_value() ? layer.factors + layer.batch * layer.inputs : nullptr;
    layer.activates = silu;
    auto y = at::empty({layer.batch, outputs, layer.height, layer.width}, own.options().memory_format(innermost));
    layer.y = static_cast<T *>(y.mutable_data_ptr());
    if (y.numel() > 0) layer.run();
    return y;
}

}  // namespace ct
#endif

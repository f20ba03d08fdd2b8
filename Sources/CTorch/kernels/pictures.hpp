// What both ways of computing a convolution are given, and how its tensors become that.
#pragma once
#include "products.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {

/// Pixels side by side: the first of them, and how far apart they are.
template <typename T>
struct Pixels {
    T *data;
    int64_t stride;
};

/// silu(a·x + b), or without SiLU, of some channels of some pixels; x as it is where there is no a.
template <typename X, typename T>
void copyPixels(Pixels<const X> from, Pixels<T> to, int64_t count, int64_t channels, const float *a, const float *b,
                bool activates) {
    if (a == nullptr && std::is_same_v<X, T>) {
        for (int64_t i = 0; i < count; i++) {
            std::memcpy(to.data + i * to.stride, from.data + i * from.stride, channels * sizeof(T));
        }
        return;
    }
    for (int64_t c = 0; c < channels; c += lanes) {
        const Mask m = first(channels - c);
        const Vector factor = a == nullptr ? all(1) : load(a + c, m), shift = a == nullptr ? zero() : load(b + c, m);
        const auto copy = [=](auto isActivated) {
            for (int64_t i = 0; i < count; i++) {
                const Vector v = load(from.data + i * from.stride + c, m);
                store(to.data + i * to.stride + c, normed(v, factor, shift, isActivated()), m);
            }
        };
        if (activates && a != nullptr) {
            copy(std::true_type());
        } else {
            copy(std::false_type());
        }
    }
}

/// Runs a layer on pictures whose channels lie innermost: a struct with pointers, sizes and `run()`, of T, which reads
/// pictures of X and gives one of Y.
template <typename Layer, typename X, typename T, typename Y>
at::Tensor convolve(const at::Tensor &x, const at::Tensor &packed, const std::optional<at::Tensor> &bias,
                    int64_t outputs, const std::optional<at::Tensor> &norm, bool silu,
                    const std::optional<at::Tensor> &addend, const std::optional<at::Tensor> &residual) {
    constexpr auto innermost = at::MemoryFormat::ChannelsLast;
    for (const auto &added : {addend, residual}) {
        TORCH_CHECK(!added.has_value() || added->scalar_type() == packed.scalar_type(), "what is added to a convolution of ",
                    packed.scalar_type(), " is ", added->scalar_type());
    }
    const bool isFitting = !addend.has_value() || addend->size(0) == 1 || addend->size(0) == x.size(0);
    TORCH_CHECK(isFitting, "what is added to ", x.size(0), " pictures is for ", addend->size(0));
    const auto own = x.contiguous(innermost);
    const auto added = residual.has_value() ? std::optional(residual->contiguous(innermost)) : residual;
    Layer layer{};
    layer.x = elements<X>(own);
    layer.weight = elements<T>(packed);
    layer.bias = elements<T>(bias);
    layer.addend = elements<T>(addend);
    layer.addendStride = addend.has_value() && addend->size(0) > 1 ? outputs : 0;
    layer.residual = elements<T>(added);
    layer.batch = own.size(0);
    layer.inputs = own.size(1);
    layer.height = own.size(2);
    layer.width = own.size(3);
    layer.outputs = outputs;
    layer.factors = elements<float>(norm);
    layer.shifts = norm.has_value() ? layer.factors + layer.batch * layer.inputs : nullptr;
    layer.activates = silu;
    auto y = at::empty({layer.batch, outputs, layer.height, layer.width},
                       own.options().dtype(at::CppTypeToScalarType<Y>::value).memory_format(innermost));
    layer.y = y.template mutable_data_ptr<Y>();
    if (y.numel() > 0) layer.run();
    return y;
}

}  // namespace ct
CT_VECTORS_END
#endif

// What surrounds the products of a transformer, with its gradients, for training: GELU, the layer norm with an example's own
// scale and shift, and the gated sum. libtorch's own pass over memory several times, and its GELU takes a hyperbolic
// tangent by a function that costs more than the products beside it.
#include <cmath>

#include "kernels.hpp"
#include "parallel.hpp"
#include "products.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

/// Calls a body with the first element and the number of elements of each part of many.
template <typename Body>
void in_parts(int64_t count, const Body &body) {
    constexpr int64_t part = 16384;
    parallel((count + part - 1) / part, [&](int64_t task) {
        const int64_t from = task * part;
        body(from, std::min(part, count - from));
    });
}

/// Rows of each example and how they are shared out: `[examples, rows, width]`.
struct Rows {
    int64_t examples, rows, width;

    int64_t chunk() const { return std::max<int64_t>(1, std::min<int64_t>(rows, 16384 / width)); }
    int64_t chunks() const { return (rows + chunk() - 1) / chunk(); }

    /// Calls a body with each row, its example and what the rows of its task share: two rows of sums, which are zero at
    /// first.
    /// - Returns: the sums of each example, `[examples, 2, width]`.
    template <typename Body>
    at::Tensor summing(const Body &body) const {
        auto parts = at::zeros({examples, chunks(), 2, width}, at::kFloat);
        float *sums = parts.mutable_data_ptr<float>();
        parallel(examples * chunks(), [&](int64_t task) {
            const int64_t example = task / chunks(), from = task % chunks() * chunk();
            for (int64_t row = from; row < std::min(rows, from + chunk()); row++) {
                body(example * rows + row, example, sums + task * 2 * width);
            }
        });
        return parts.sum(1);
    }

    /// Calls a body with each row and its example.
    template <typename Body>
    void each(const Body &body) const {
        parallel(examples * chunks(), [&](int64_t task) {
            const int64_t example = task / chunks(), from = task % chunks() * chunk();
            for (int64_t row = from; row < std::min(rows, from + chunk()); row++) body(example * rows + row, example);
        });
    }
};

/// Rows of `[…, width]`, for which there are `[examples, width]` factors.
Rows rows_of(const at::Tensor &x, const at::Tensor &factors) {
    const int64_t width = x.size(-1), examples = factors.size(0);
    return {examples, x.numel() / width / examples, width};
}

inline void add(float *sums, Vector v, Mask m) { store(sums, load(sums, m) + v, m); }

}  // namespace

at::Tensor gelu(const at::Tensor &x, bool isTanh) {
    auto y = at::empty_like(x);
    typed(x, [&](auto element) {
        using T = decltype(element);
        const T *from = elements<T>(x);
        T *to = y.template mutable_data_ptr<T>();
        in_parts(x.numel(), [&](int64_t start, int64_t count) {
            for (int64_t i = start; i < start + count; i += lanes) {
                const Mask m = first(start + count - i);
                const Vector v = load(from + i, m);
                store(to + i, isTanh ? gelu_tanh(v) : gelu(v), m);
            }
        });
    });
    return y;
}

at::Tensor gelu_gradient(const at::Tensor &x, const at::Tensor &gradient, bool isTanh) {
    auto dx = at::empty_like(x);
    const auto dy = gradient.strides() == x.strides() ? gradient : at::empty_like(x).copy_(gradient);
    typed(x, [&](auto element) {
        using T = decltype(element);
        const T *from = elements<T>(x), *back = elements<T>(dy);
        T *to = dx.template mutable_data_ptr<T>();
        in_parts(x.numel(), [&](int64_t start, int64_t count) {
            for (int64_t i = start; i < start + count; i += lanes) {
                const Mask m = first(start + count - i);
                const Vector v = load(from + i, m);
                store(to + i, load(back + i, m) * (isTanh ? gelu_tanh_slope(v) : gelu_slope(v)), m);
            }
        });
    });
    return dx;
}

at::Tensor scaled_layer_norm(const at::Tensor &given, const at::Tensor &a, const at::Tensor &b, double epsilon,
                             at::ScalarType type) {
    const auto x = given.contiguous();
    const auto rows = rows_of(x, a);
    auto y = at::empty(x.sizes(), x.options().dtype(type));
    typed(x, y, [&](auto left, auto right) {
        using X = decltype(left);
        using Y = decltype(right);
        const X *from = elements<X>(x);
        const float *scales = elements<float>(a), *shifts = elements<float>(b);
        Y *to = y.template mutable_data_ptr<Y>();
        rows.each([&](int64_t row, int64_t example) {
            const X *own = from + row * rows.width;
            const auto [mean, inverse] = moments(own, rows.width, static_cast<float>(epsilon));
            for (int64_t c = 0; c < rows.width; c += lanes) {
                const Mask m = first(rows.width - c);
                const int64_t place = example * rows.width + c;
                const Vector v = (load(own + c, m) - mean) * inverse;
                store(to + row * rows.width + c, fma(v, load(scales + place, m), load(shifts + place, m)), m);
            }
        });
    });
    return y;
}

std::tuple<at::Tensor, at::Tensor> scaled_layer_norm_gradient(const at::Tensor &given, const at::Tensor &a,
                                                              double epsilon, const at::Tensor &gradient) {
    const auto x = given.contiguous(), dy = gradient.contiguous();
    const auto rows = rows_of(x, a);
    auto dx = at::empty_like(x);
    at::Tensor sums;
    typed(x, dy, [&](auto left, auto right) {
        using X = decltype(left);
        using Y = decltype(right);
        const X *from = elements<X>(x);
        const Y *back = elements<Y>(dy);
        const float *scales = elements<float>(a);
        X *to = dx.template mutable_data_ptr<X>();
        sums = rows.summing([&](int64_t row, int64_t example, float *sums) {
            const int64_t width = rows.width;
            const X *own = from + row * width;
            const Y *ownBack = back + row * width;
            const float *scale = scales + example * width;
            const auto [mean, inverse] = moments(own, width, static_cast<float>(epsilon));
            // With g = a·dy and x̂ the norm without scale and shift: dx = (g − mean(g) − x̂·mean(g·x̂))/deviation.
            Vector sum = zero(), product = zero();
            for (int64_t c = 0; c < width; c += lanes) {
                const Mask m = first(width - c);
                const Vector v = (load(own + c, m) - mean) * inverse, d = load(ownBack + c, m);
                const Vector g = d * load(scale + c, m);
                sum = sum + g;
                product = fma(g, v, product);
                add(sums + c, d, m);
                add(sums + width + c, d * v, m);
            }
            const Vector meanSum = all(_mm512_reduce_add_ps(sum) / width);
            const Vector meanProduct = all(_mm512_reduce_add_ps(product) / width);
            for (int64_t c = 0; c < width; c += lanes) {
                const Mask m = first(width - c);
                const Vector v = (load(own + c, m) - mean) * inverse;
                const Vector g = load(ownBack + c, m) * load(scale + c, m);
                store(to + row * width + c, (g - meanSum - v * meanProduct) * inverse, m);
            }
        });
    });
    return {dx, sums};
}

at::Tensor gated_sum(const at::Tensor &x, const at::Tensor &gate, const at::Tensor &y) {
    const auto own = x.contiguous(), added = y.contiguous();
    const auto rows = rows_of(own, gate);
    auto result = at::empty_like(own);
    typed(own, added, [&](auto left, auto right) {
        using X = decltype(left);
        using Y = decltype(right);
        const X *from = elements<X>(own);
        const Y *other = elements<Y>(added);
        const float *gates = elements<float>(gate);
        X *to = result.template mutable_data_ptr<X>();
        rows.each([&](int64_t row, int64_t example) {
            for (int64_t c = 0; c < rows.width; c += lanes) {
                const Mask m = first(rows.width - c);
                const int64_t place = row * rows.width + c;
                const Vector g = load(gates + example * rows.width + c, m);
                store(to + place, fma(load(other + place, m), g, load(from + place, m)), m);
            }
        });
    });
    return result;
}

std::tuple<at::Tensor, at::Tensor> gated_sum_gradient(const at::Tensor &gate, const at::Tensor &y,
                                                      const at::Tensor &gradient) {
    const auto added = y.contiguous(), back = gradient.contiguous();
    const auto rows = rows_of(added, gate);
    auto dy = at::empty_like(added);
    at::Tensor sums;
    typed(back, added, [&](auto left, auto right) {
        using X = decltype(left);
        using Y = decltype(right);
        const X *from = elements<X>(back);
        const Y *other = elements<Y>(added);
        const float *gates = elements<float>(gate);
        Y *to = dy.template mutable_data_ptr<Y>();
        sums = rows.summing([&](int64_t row, int64_t example, float *sums) {
            for (int64_t c = 0; c < rows.width; c += lanes) {
                const Mask m = first(rows.width - c);
                const int64_t place = row * rows.width + c;
                const Vector d = load(from + place, m);
                store(to + place, d * load(gates + example * rows.width + c, m), m);
                add(sums + c, d * load(other + place, m), m);
            }
        });
    });
    return {dy, sums.select(1, 0)};
}

}  // namespace ct
CT_VECTORS_END
#endif

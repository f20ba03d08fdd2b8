// Group norm and SiLU of pictures whose channels lie innermost, with their gradients, for training: libtorch's own take
// several times as long in that layout, which convolutions prefer.
#include "kernels.hpp"
#include "parallel.hpp"
#include "products.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

/// For y = silu(a·x + b), or without SiLU, a and b of each channel of each picture: what comes back from y.
template <typename T>
struct NormGradient {
    const T *x, *gradient;
    const float *a, *b;
    int64_t batch, pixels, channels;
    bool activates;

    /// The gradient at a·x + b.
    Vector inner(Vector x, Vector dy, Vector a, Vector b) const {
        if (!activates) return dy;
        const Vector z = fma(a, x, b), s = sigmoid(z);
        return dy * s * fma(z, all(1) - s, all(1));
    }

    int64_t chunk() const { return std::max<int64_t>(16, 8192 / channels); }
    int64_t chunks() const { return (pixels + chunk() - 1) / chunk(); }

    /// Sums over pixels of the inner gradient and of its product with x, `[batch, 2, channels]`.
    at::Tensor sums() const {
        auto parts = at::empty({batch, chunks(), 2, channels}, at::kFloat);
        float *to = parts.template mutable_data_ptr<float>();
        parallel(batch * chunks(), [&](int64_t task) {
            const int64_t picture = task / chunks(), from = task % chunks() * chunk();
            const int64_t end = std::min(pixels, from + chunk());
            for (int64_t c = 0; c < channels; c += lanes) {
                const Mask m = first(channels - c);
                const Vector av = load(a + picture * channels + c, m), bv = load(b + picture * channels + c, m);
                Vector sum = zero(), product = zero();
                for (int64_t pixel = from; pixel < end; pixel++) {
                    const int64_t place = (picture * pixels + pixel) * channels + c;
                    const Vector xv = load(x + place, m), dz = inner(xv, load(gradient + place, m), av, bv);
                    sum = sum + dz;
                    product = fma(dz, xv, product);
                }
                store(to + task * 2 * channels + c, sum, m);
                store(to + (task * 2 + 1) * channels + c, product, m);
            }
        });
        return parts.to(at::kDouble).sum(1);
    }

    /// p·(inner gradient) + q·x + r, with factors for each channel of each picture, `[3, batch, channels]`.
    void combine(const float *factors, T *result) const {
        const float *p = factors, *q = p + batch * channels, *r = q + batch * channels;
        parallel(batch * chunks(), [&](int64_t task) {
            const int64_t picture = task / chunks(), from = task % chunks() * chunk();
            const int64_t end = std::min(pixels, from + chunk());
            for (int64_t pixel = from; pixel < end; pixel++) {
                for (int64_t c = 0; c < channels; c += lanes) {
                    const Mask m = first(channels - c);
                    const int64_t place = (picture * pixels + pixel) * channels + c, own = picture * channels + c;
                    const Vector xv = load(x + place, m);
                    const Vector dz = inner(xv, load(gradient + place, m), load(a + own, m), load(b + own, m));
                    store(result + place, fma(load(p + own, m), dz, fma(load(q + own, m), xv, load(r + own, m))), m);
                }
            }
        });
    }
};

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm_gradient(const at::Tensor &x, const at::Tensor &gradient,
                                                                   const at::Tensor &moments, int64_t groups,
                                                                   const at::Tensor &weight, const at::Tensor &bias,
                                                                   bool silu) {
    const auto dy = gradient.to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const int64_t batch = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
    const auto w = weight.to(at::kDouble);
    // x̂ = inverse·x + offset; sums are few, and taken in float64.
    const auto inverse = moments[0].to(at::kDouble), offset = moments[1].to(at::kDouble);
    const auto factors = at::stack({inverse * w, offset * w + bias.to(at::kDouble)}).to(at::kFloat);
    return typed(x, [&](auto element) {
        using T = decltype(element);
        const float *a = elements<float>(factors);
        const NormGradient<T> kernel{elements<T>(x), elements<T>(dy), a,        a + batch * channels,
                                     batch,          pixels,          channels, silu};
        const auto sums = kernel.sums();
        const auto sum = sums.select(1, 0), product = inverse * sums.select(1, 1) + offset * sum;
        const auto mean = [&](const at::Tensor &t) {
            const auto whole = (w * t).view({batch, groups, -1}).sum(-1, true) / (channels / groups * pixels);
            return whole.expand({batch, groups, channels / groups}).reshape({batch, channels});
        };
        // dx = (w·dz − mean(w·dz) − x̂·mean(w·dz·x̂))/deviation
        const auto meanSum = mean(sum), meanProduct = mean(product);
        const auto back = at::stack({inverse * w, -inverse * inverse * meanProduct,
                                     -inverse * (meanSum + offset * meanProduct)}).to(at::kFloat);
        auto dx = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
        kernel.combine(elements<float>(back), dx.template mutable_data_ptr<T>());
        return std::make_tuple(dx, product.sum(0).to(weight.scalar_type()), sum.sum(0).to(bias.scalar_type()));
    });
}

}  // namespace ct
CT_VECTORS_END
#endif

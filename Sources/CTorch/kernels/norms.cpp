// Norms of pictures whose channels lie innermost, and of tokens, in two passes over memory: one that looks, and one
// that applies, with what comes after.
#include <cmath>
#include <vector>

#include "kernels.hpp"
#include "parallel.hpp"
#include "products.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {
namespace {

/// The number, mean and squared distance from it of some values, joined with those of others without cancellation.
/// Source: Chan et al. 1979, equation 2.1.
struct Moments {
    double count = 0, mean = 0, squares = 0;

    void join(const Moments &other) {
        const double total = count + other.count, delta = other.mean - mean;
        if (total == 0) return;
        squares += other.squares + delta * delta * count * other.count / total;
        mean += delta * other.count / total;
        count = total;
    }
};

/// Sums and sums of squares, over some pixels, of the distances of `vectors` · 16 channels from one number each.
template <int64_t vectors, typename T>
void sum(const T *x, int64_t pixels, int64_t channels, Mask m, const float *shifts, float *sums, float *squares) {
    // Sums of some pixels are summed, and not pixels: that rounds less.
    constexpr int64_t some = 64;
    Vector shift[vectors], sum[vectors], square[vectors];
    for (int64_t v = 0; v < vectors; v++) {
        shift[v] = load(shifts + v * lanes);
        sum[v] = square[v] = zero();
    }
    for (int64_t from = 0; from < pixels; from += some) {
        Vector ownSum[vectors], ownSquare[vectors];
        for (int64_t v = 0; v < vectors; v++) ownSum[v] = ownSquare[v] = zero();
        for (int64_t pixel = from; pixel < std::min(pixels, from + some); pixel++, x += channels) {
            for (int64_t v = 0; v < vectors; v++) {
                const Vector d = load(x + v * lanes, m) - shift[v];
                ownSum[v] = ownSum[v] + d;
                ownSquare[v] = fma(d, d, ownSquare[v]);
            }
        }
        for (int64_t v = 0; v < vectors; v++) {
            sum[v] = sum[v] + ownSum[v];
            square[v] = square[v] + ownSquare[v];
        }
    }
    for (int64_t v = 0; v < vectors; v++) {
        store(sums + v * lanes, sum[v]);
        store(squares + v * lanes, square[v]);
    }
}

/// The moments of each group over some pixels. Sums are of distances from one number of the group, so that a large mean
/// does not drown the variance.
template <typename T>
void look(const T *x, int64_t pixels, int64_t channels, int64_t perGroup, Moments *groups) {
    constexpr int64_t vectors = 4;
    alignas(64) float shifts[vectors * lanes], sums[vectors * lanes], squares[vectors * lanes];
    const double all = static_cast<double>(pixels * perGroup);
    double sumOfGroup = 0, squareOfGroup = 0;
    float shift = 0;
    // Channels of the group so far whose shifts are there, and whose sums are.
    int64_t shifted = 0, summed = 0;
    for (int64_t c = 0, count; c < channels; c += count) {
        const bool isWide = channels - c >= vectors * lanes;
        count = isWide ? vectors * lanes : std::min(lanes, channels - c);
        for (int64_t i = 0; i < count; i++) {
            if (shifted == 0) shift = static_cast<float>(x[c + i]);
            shifts[i] = shift;
            if (++shifted == perGroup) shifted = 0;
        }
        (isWide ? sum<vectors, T> : sum<1, T>)(x + c, pixels, channels, first(count), shifts, sums, squares);
        for (int64_t i = 0; i < count; i++) {
            sumOfGroup += sums[i];
            squareOfGroup += squares[i];
            if (++summed < perGroup) continue;
            const double mean = sumOfGroup / all;
            *groups++ = {all, shifts[i] + mean, squareOfGroup - sumOfGroup * mean};
            sumOfGroup = squareOfGroup = 0;
            summed = 0;
        }
    }
}

/// The numbers of an optional tensor in float32, as many as there are of anything for a channel.
struct Numbers {
    Optional kept;
    const float *data;

    explicit Numbers(const Optional &tensor)
        : kept(tensor.has_value() ? Optional(tensor->to(at::kFloat).contiguous()) : tensor),
          data(elements<float>(kept)) {}

    double at(int64_t place, double otherwise) const { return data == nullptr ? otherwise : data[place]; }
};

template <typename T>
at::Tensor factors(const at::Tensor &x, int64_t groups, const Numbers &weight, const Numbers &bias, double epsilon,
                   const Numbers &scale, const Numbers &shift) {
    const int64_t batch = x.size(0), channels = x.size(1), pixels = x.numel() / std::max<int64_t>(1, batch * channels);
    const int64_t perGroup = channels / groups;
    const int64_t chunk = std::max<int64_t>(16, 65536 / channels), chunks = (pixels + chunk - 1) / chunk;
    std::vector<Moments> found(batch * chunks * groups);
    const T *data = elements<T>(x);
    auto result = at::empty({2, batch, channels}, x.options().dtype(at::kFloat));
    float *a = result.mutable_data_ptr<float>(), *b = a + batch * channels;
    const auto finish = [&](int64_t picture) {
        for (int64_t group = 0; group < groups; group++) {
            Moments all = found[picture * chunks * groups + group];
            for (int64_t i = 1; i < chunks; i++) all.join(found[(picture * chunks + i) * groups + group]);
            const double inverse = 1 / std::sqrt(all.squares / all.count + epsilon);
            for (int64_t c = group * perGroup; c < (group + 1) * perGroup; c++) {
                const int64_t place = picture * channels + c;
                const double factor = inverse * weight.at(c, 1), own = 1 + scale.at(place, 0);
                a[place] = static_cast<float>(factor * own);
                b[place] = static_cast<float>((bias.at(c, 0) - all.mean * factor) * own + shift.at(place, 0));
            }
        }
    };
    parallel(batch * chunks, [&](int64_t task) {
        const int64_t picture = task / chunks, from = task % chunks * chunk;
        look(data + (picture * pixels + from) * channels, std::min(chunk, pixels - from), channels, perGroup,
             found.data() + task * groups);
        if (chunks == 1) finish(picture);
    });
    if (chunks > 1) parallel(batch, finish);
    return result;
}

/// One token: mean and variance, then the norm's parameters and the token's own scale and shift.
template <typename T>
void normalize(const T *x, T *y, int64_t width, const T *weight, const T *bias, const T *scale, const T *shift,
               float epsilon) {
    const auto [mean, inverse] = moments(x, width, epsilon);
    for (int64_t c = 0; c < width; c += lanes) {
        const Mask m = first(width - c);
        Vector v = (load(x + c, m) - mean) * inverse;
        if (weight != nullptr) v = v * load(weight + c, m);
        if (bias != nullptr) v = v + load(bias + c, m);
        if (scale != nullptr) v = fma(v, load(scale + c, m), v);
        if (shift != nullptr) v = v + load(shift + c, m);
        store(y + c, v, m);
    }
}

}  // namespace

at::Tensor group_norm_factors(const at::Tensor &x, int64_t groups, const Optional &weight, const Optional &bias,
                              double epsilon, const Optional &scale, const Optional &shift) {
    const auto own = x.contiguous(at::MemoryFormat::ChannelsLast);
    return typed(own, [&](auto element) {
        using T = decltype(element);
        return factors<T>(own, groups, Numbers(weight), Numbers(bias), epsilon, Numbers(scale), Numbers(shift));
    });
}

at::Tensor group_norm(const at::Tensor &x, int64_t groups, const at::Tensor &weight, const at::Tensor &bias,
                      double epsilon, bool activates) {
    const auto own = x.contiguous(at::MemoryFormat::ChannelsLast);
    return scale_channels(own, group_norm_factors(own, groups, weight, bias, epsilon, std::nullopt, std::nullopt),
                          activates);
}

at::Tensor scale_channels(const at::Tensor &own, const at::Tensor &factors, bool activates) {
    return typed(own, [&](auto element) {
        using T = decltype(element);
        auto result = at::empty_like(own, own.options(), at::MemoryFormat::ChannelsLast);
        const int64_t batch = own.size(0), channels = own.size(1);
        const int64_t pixels = own.numel() / std::max<int64_t>(1, batch * channels);
        const float *a = elements<float>(factors), *b = a + batch * channels;
        const T *from = elements<T>(own);
        T *to = result.template mutable_data_ptr<T>();
        const int64_t chunk = std::max<int64_t>(1, 16384 / channels), chunks = (pixels + chunk - 1) / chunk;
        parallel(batch * chunks, [&](int64_t task) {
            const int64_t picture = task / chunks, begin = task % chunks * chunk, end = std::min(pixels, begin + chunk);
            for (int64_t pixel = begin; pixel < end; pixel++) {
                const int64_t place = (picture * pixels + pixel) * channels;
                for (int64_t c = 0; c < channels; c += lanes) {
                    const Mask m = first(channels - c);
                    const int64_t channel = picture * channels + c;
                    const Vector v = load(from + place + c, m);
                    store(to + place + c, normed(v, load(a + channel, m), load(b + channel, m), activates), m);
                }
            }
        });
        return result;
    });
}

at::Tensor layer_norm(const at::Tensor &x, const Optional &weight, const Optional &bias, const Optional &shift,
                      const Optional &scale, double epsilon) {
    const auto own = x.contiguous();
    const int64_t width = own.size(-1), rows = own.numel() / std::max<int64_t>(1, width);
    const auto dense = [&](const Optional &t) { return t.has_value() ? Optional(t->contiguous()) : t; };
    const auto shifts = dense(shift), scales = dense(scale);
    const auto &any = shifts.has_value() ? shifts : scales;
    const int64_t rowsPerExample = any.has_value() ? rows / (any->numel() / width) : rows;
    return typed(own, [&](auto element) {
        using T = decltype(element);
        auto y = at::empty_like(own);
        const T *from = elements<T>(own), *w = elements<T>(weight), *b = elements<T>(bias);
        const T *s = elements<T>(scales), *t = elements<T>(shifts);
        T *to = y.template mutable_data_ptr<T>();
        parallel(rows, 16384 / width, [&](int64_t row) {
            const int64_t place = row / rowsPerExample * width;
            normalize(from + row * width, to + row * width, width, w, b, s == nullptr ? s : s + place,
                      t == nullptr ? t : t + place, static_cast<float>(epsilon));
        });
        return y;
    });
}

}  // namespace ct
CT_VECTORS_END
#endif

// The matrices of attention as both directions need them.
#pragma once
#include <cmath>

#include "products.hpp"

#if CT_KERNELS
CT_VECTORS_BEGIN
namespace ct {

/// Tokens of one head: `count` rows of `size` numbers each, an even number, so far apart.
template <typename T>
struct Tokens {
    const T *data;
    int64_t count, size, stride;

    /// Their transpose as a second factor of `width` columns, the last of them zeros. Its rows are features, in bfloat16
    /// pairs of features: numbers of 32 bits either way.
    void packTransposed(T *to, int64_t width) const {
        std::memset(to, 0, size * width * sizeof(T));
        constexpr int64_t unit = 4 / sizeof(T);
        for (int64_t start = 0; start < count; start += lanes) {
            const int64_t end = std::min(start + lanes, count);
            for (int64_t c = 0; c < size; c += unit) {
                for (int64_t token = start; token < end; token++) {
                    std::memcpy(to + c * width + token * unit, data + token * stride + c, unit * sizeof(T));
                }
            }
        }
    }

    /// The tokens as a second factor of `rows` rows and `width` columns, the last of them zeros.
    void pack(T *to, int64_t rows, int64_t width) const {
        std::memset(to, 0, rows * width * sizeof(T));
        constexpr int64_t unit = 4 / sizeof(T);
        for (int64_t token = 0; token < count; token += unit) {
            const T *row = data + token * stride;
            for (int64_t c = 0; c < size; c += lanes) {
                const Mask m = first(size - c);
                T *own = to + packedPlace<T>(token, c, width);
                if constexpr (isBrain<T>) {
                    storePairs(own, row + c, m, row + stride + c, token + 1 < count ? m : Mask(0));
                } else {
                    store(own, load(row + c, m), m);
                }
            }
        }
    }

    Tokens some(int64_t from, int64_t most) const {
        return {data + from * stride, std::min(most, count - from), size, stride};
    }
};

/// One of queries, keys and values, `[batch, heads, tokens, size]` at any strides but that of the last.
template <typename T>
struct Heads {
    const T *data;
    int64_t heads, tokens, size, batchStride, headStride, tokenStride;

    explicit Heads(const at::Tensor &x)
        : data(elements<T>(x)),
          heads(x.size(1)),
          tokens(x.size(2)),
          size(x.size(3)),
          batchStride(x.stride(0)),
          headStride(x.stride(1)),
          tokenStride(x.stride(2)) {}

    /// Heads are numbered through all of the batch.
    Tokens<T> operator[](int64_t head) const {
        return {data + head / heads * batchStride + head % heads * headStride, tokens, size, tokenStride};
    }
};

/// What scores are multiplied with for a softmax in powers of 2.
inline float scoreFactor(std::optional<double> scale, int64_t size) {
    return static_cast<float>(scale.value_or(1 / std::sqrt(static_cast<double>(size))) * M_LOG2E);
}

/// With the features of a token one after the other.
inline at::Tensor dense(const at::Tensor &x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

}  // namespace ct
CT_VECTORS_END
#endif

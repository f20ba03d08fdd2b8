// Vectors of 16 float32, loaded from and stored as float32 or bfloat16, and the functions that kernels apply to them.
//
// The package is compiled for any processor of its kind; these functions are compiled for AVX-512, and are called
// only where `ct::has_kernels` says that it is there.
#pragma once
#include <ATen/ATen.h>

#if defined(__x86_64__) && defined(__linux__)
#define CT_KERNELS 1
#include <immintrin.h>

#include <cmath>
#include <utility>

#define CT_VECTORS_BEGIN \
    _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma\"))), apply_to = function)")
#define CT_VECTORS_END _Pragma("clang attribute pop")

CT_VECTORS_BEGIN
namespace ct {

using Vector = __m512;
using Mask = __mmask16;

/// The number of elements of a vector.
constexpr int64_t lanes = 16;

/// The first elements of a vector, as many of 16 as there are left.
inline Mask first(int64_t count) {
    return count >= lanes ? 0xffff : static_cast<Mask>((1u << count) - 1);
}

inline Vector all(float x) { return _mm512_set1_ps(x); }
inline Vector zero() { return _mm512_setzero_ps(); }

inline Vector load(const float *p) { return _mm512_loadu_ps(p); }
inline Vector load(const float *p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
inline void store(float *p, Vector v) { _mm512_storeu_ps(p, v); }
inline void store(float *p, Vector v, Mask m) { _mm512_mask_storeu_ps(p, m, v); }
/// The number of each lane.
inline __m512i lane_numbers() { return _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0); }

/// Numbers that are `apart` from each other.
inline void scatter(float *p, int64_t apart, Vector v, Mask m) {
    if (apart == 1) return store(p, v, m);
    _mm512_mask_i32scatter_ps(p, m, _mm512_mullo_epi32(lane_numbers(), _mm512_set1_epi32(static_cast<int>(apart))), v, 4);
}

/// Numbers of bfloat16, in the lower halves of 32 bits or one after the other, in float32.
inline Vector widened(__m512i words) { return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16)); }
inline Vector widened(__m256i v) { return widened(_mm512_cvtepu16_epi32(v)); }
inline __m256i narrowed(Vector v) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)); }
inline Vector load(const at::BFloat16 *p) {
    return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
}
inline Vector load(const at::BFloat16 *p, Mask m) { return widened(_mm256_maskz_loadu_epi16(m, p)); }
inline void store(at::BFloat16 *p, Vector v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), narrowed(v));
}
inline void store(at::BFloat16 *p, Vector v, Mask m) { _mm256_mask_storeu_epi16(p, m, narrowed(v)); }

/// Numbers as the lower halves of 32 bits, and two of such as pairs of one of each.
inline __m512i words(const at::BFloat16 *p, Mask m) { return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, p)); }
inline __m512i paired(__m512i even, __m512i odd) { return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)); }

/// Two rows of numbers as pairs of one of each.
inline void storePairs(at::BFloat16 *p, const at::BFloat16 *even, Mask m, const at::BFloat16 *odd, Mask n) {
    _mm512_mask_storeu_epi32(p, m, paired(words(even, m), words(odd, n)));
}

/// 16 rows of 16 numbers of 32 bits become columns: one after the other, each of the four bits of the row and of the
/// lane change places.
inline void transpose(__m512i *rows) {
    const __m512i lane = lane_numbers(), second = _mm512_set1_epi32(lanes);
    for (int bit = 1; bit < lanes; bit *= 2) {
        // Indices from 16 are the second row's.
        const Mask upper = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(bit));
        const __m512i low = _mm512_mask_add_epi32(lane, upper, lane, _mm512_set1_epi32(lanes - bit));
        const __m512i high = _mm512_mask_add_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(bit)), upper, lane, second);
        for (int i = 0; i < lanes; i++) {
            if ((i & bit) != 0) continue;
            const __m512i a = rows[i], b = rows[i + bit];
            rows[i] = _mm512_permutex2var_epi32(a, low, b);
            rows[i + bit] = _mm512_permutex2var_epi32(a, high, b);
        }
    }
}

/// Numbers as sums of two, the second `apart` after the first.
inline void storeSplit(at::BFloat16 *p, int64_t apart, Vector v, Mask m) {
    const __m256i large = narrowed(v);
    _mm256_mask_storeu_epi16(p, m, large);
    store(p + apart, v - widened(large), m);
}

inline void splitRow(const float *from, at::BFloat16 *to, int64_t count, int64_t apart) {
    for (int64_t c = 0; c < count; c += lanes) {
        const Mask m = first(count - c);
        storeSplit(to + c, apart, load(from + c, m), m);
    }
}

inline Vector max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
/// a·b + c
inline Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }

/// 2^x for finite x: 0 far below −126, infinity from 128. The relative error is 8e-8 beside rounding, or, where that
/// is enough (bfloat16 keeps 4e-3), 8e-5.
template <bool isExact = true>
inline Vector exp2(Vector x) {
    const Vector f = _mm512_reduce_ps(x, 0x09);  // x − ⌊x⌋
    Vector p;
    if constexpr (isExact) {
        p = fma(all(0.00187757666f), f, all(0.00898934013f));
        p = fma(p, f, all(0.055826318f));
        p = fma(p, f, all(0.240153617f));
        p = fma(p, f, all(0.693153073f));
        p = fma(p, f, all(0.999999925f));
    } else {
        p = fma(all(0.0780245214f), f, all(0.226067157f));
        p = fma(p, f, all(0.69583354f));
        p = fma(p, f, all(0.999925219f));
    }
    return _mm512_scalef_ps(p, x);
}

inline Vector exp(Vector x) { return exp2(x * all(1.44269504f)); }

/// 1/x, to a last bit or two.
inline Vector reciprocal(Vector x) {
    const Vector r = _mm512_rcp14_ps(x);
    return fma(r, _mm512_fnmadd_ps(x, r, all(1)), r);
}

/// 1/(1 + e^−x); 1 + e^87 is still finite. A NaN stays one.
inline Vector sigmoid(Vector x) { return reciprocal(all(1) + exp(_mm512_min_ps(all(87), zero() - x))); }

inline Vector silu(Vector x) { return x * sigmoid(x); }

/// silu(a·x + b), or without SiLU.
inline Vector normed(Vector x, Vector a, Vector b, bool activates) {
    const Vector v = fma(x, a, b);
    return activates ? silu(v) : v;
}

/// erf to 1.5e-7. Source: Abramowitz and Stegun 1964, formula 7.1.26.
inline Vector erf(Vector x) {
    // Beyond 9 nothing changes, and the square of an infinity is no use.
    const Vector a = _mm512_min_ps(all(9), _mm512_abs_ps(x));
    const Vector t = reciprocal(fma(a, all(0.3275911f), all(1)));
    Vector p = fma(all(1.061405429f), t, all(-1.453152027f));
    p = fma(p, t, all(1.421413741f));
    p = fma(p, t, all(-0.284496736f));
    p = fma(p, t, all(0.254829592f));
    const Vector y = _mm512_fnmadd_ps(p * t, exp(zero() - a * a), all(1));
    return _mm512_or_ps(y, _mm512_and_ps(x, all(-0.f)));
}

inline Vector gelu(Vector x) { return x * all(0.5f) * (all(1) + erf(x * all(0.70710678f))); }

/// ½x(1 + tanh(√(2/π)(x + 0.044715x³))), where 1 + tanh(u) = 2·sigmoid(2u).
inline Vector gelu_tanh(Vector x) {
    return x * sigmoid(fma(x * x, all(0.044715f), all(1)) * x * all(1.5957691f));
}

/// The derivative of `gelu`: Φ(x) + x·φ(x).
inline Vector gelu_slope(Vector x) {
    const Vector density = all(0.39894228f) * exp(x * x * all(-0.5f));
    return fma(x, density, all(0.5f) * (all(1) + erf(x * all(0.70710678f))));
}

/// The derivative of `gelu_tanh`.
inline Vector gelu_tanh_slope(Vector x) {
    const Vector square = x * x, s = sigmoid(fma(square, all(0.044715f), all(1)) * x * all(1.5957691f));
    return fma(x * s * (all(1) - s), fma(square, all(0.21406814f), all(1.5957691f)), s);
}

/// The mean of a row and the inverse of its deviation.
template <typename X>
inline std::pair<Vector, Vector> moments(const X *x, int64_t width, float epsilon) {
    Vector sum = zero();
    for (int64_t c = 0; c < width; c += lanes) sum = sum + load(x + c, first(width - c));
    const Vector mean = all(_mm512_reduce_add_ps(sum) / width);
    Vector square = zero();
    for (int64_t c = 0; c < width; c += lanes) {
        const Mask m = first(width - c);
        const Vector d = _mm512_maskz_sub_ps(m, load(x + c, m), mean);
        square = fma(d, d, square);
    }
    return {mean, all(1 / std::sqrt(_mm512_reduce_add_ps(square) / width + epsilon))};
}

}  // namespace ct
CT_VECTORS_END
#else
#define CT_KERNELS 0
#endif
